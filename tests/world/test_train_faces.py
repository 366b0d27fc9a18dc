"""The parts of the face recipe that can go wrong without a training showing it."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from myvlm_tag.world.train.checkpoint import Progress, fit, learning_rate, load, save
from myvlm_tag.world.train.faces_batches import CUT, gather, move
from myvlm_tag.world.train.faces_detector import (
    ANCHOR_SIZES,
    Detector,
    anchors,
    assign,
    detection_loss,
    flatten,
)
from myvlm_tag.world.train.faces_export import FAINTEST, export_detector, export_recogniser
from myvlm_tag.world.train.faces_pool import MOST_FACES, SMALLEST_TAUGHT, TILE, draw_tile
from myvlm_tag.world.train.faces_recogniser import Recogniser


@pytest.fixture(autouse=True)
def fixed_seed() -> None:
    torch.manual_seed(0)


def unsettled(network: torch.nn.Module) -> torch.nn.Module:
    """The network with batch statistics that are not the identity, as training leaves them."""
    for part in network.modules():
        if isinstance(part, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
            assert part.running_mean is not None and part.running_var is not None
            part.running_mean.normal_(0, 0.1)
            part.running_var.uniform_(0.5, 2.0)
    return network.eval()


def test_exported_detector_answers_as_the_trained_one(tmp_path: Path) -> None:
    detector = unsettled(Detector())
    assert isinstance(detector, Detector)
    photo = torch.randint(0, 256, (1, 64, 96, 3), dtype=torch.uint8)
    with torch.no_grad():
        values = [flatten(answer)[0] for answer in detector(gather(photo, 128.0).float())]
    session = onnxruntime.InferenceSession(export_detector(detector, tmp_path))
    pixels = (photo.permute(0, 3, 1, 2).numpy() - np.float32(127.5)) / np.float32(128.0)
    outputs = session.run(None, {"input": pixels})
    assert [output.shape for output in outputs] == [(a, c) for c in (1, 4, 10) for a in (192, 48, 12)]
    for level, expected in enumerate(values):
        faint = torch.logit(torch.tensor(FAINTEST))
        np.testing.assert_allclose(outputs[level][:, 0], (expected[:, 0] - faint).sigmoid(), atol=2e-3)
        size = torch.tensor(ANCHOR_SIZES[level]).repeat(len(expected) // 2)[:, None] / (8 * 2**level)
        np.testing.assert_allclose(outputs[level + 6], expected[:, 5:] * size, atol=2e-2)


def test_exported_recogniser_answers_as_the_trained_one_for_any_batch(tmp_path: Path) -> None:
    recogniser = unsettled(Recogniser())
    assert isinstance(recogniser, Recogniser)
    crops = torch.randint(0, 256, (3, 112, 112, 3), dtype=torch.uint8)
    with torch.no_grad():
        expected = recogniser(gather(crops, 127.5).float())
    session = onnxruntime.InferenceSession(export_recogniser(recogniser, tmp_path))
    pixels = (crops.permute(0, 3, 1, 2).numpy() - np.float32(127.5)) / np.float32(127.5)
    (embedding,) = session.run(None, {"input": pixels})
    cosine = torch.nn.functional.cosine_similarity(torch.from_numpy(embedding), expected)
    assert cosine.min() > 0.999


def test_every_taught_face_of_a_tile_has_an_anchor_that_answers_for_it() -> None:
    grid = anchors(CUT, CUT)
    for extent in (10.0, 15.0, 23.0, 40.0, 90.0, 180.0, 300.0):
        faces = torch.zeros(1, MOST_FACES, 15)
        faces[0, 0, :4] = torch.tensor([5.0, 7.0, 5 + extent * 0.85, 7 + extent])
        faces[0, 0, 14] = 1
        targets = assign(faces, grid)
        assert targets.positive.any(), extent
        assert targets.judged[targets.positive].all()


def test_a_face_to_be_ignored_is_neither_taught_nor_held_against_the_detector() -> None:
    faces = torch.zeros(1, MOST_FACES, 15)
    faces[0, 0, :4] = torch.tensor([100.0, 100.0, 160.0, 170.0])
    faces[0, 0, 14] = -1
    targets = assign(faces, anchors(CUT, CUT))
    assert not targets.positive.any()
    assert not targets.judged.all()


def test_detection_loss_without_any_face_is_finite_and_teaches_the_scores() -> None:
    values = torch.zeros(2, len(anchors(CUT, CUT)[0]), 15, requires_grad=True)
    loss, _ = detection_loss(values, torch.zeros(2, MOST_FACES, 15), anchors(CUT, CUT))
    loss.backward()
    assert torch.isfinite(loss)
    assert values.grad is not None and values.grad[..., 0].abs().sum() > 0


def test_a_mirrored_cut_keeps_the_left_eye_on_the_left() -> None:
    face = np.zeros((1, 15), np.float32)
    face[0] = [100, 100, 140, 150, 110, 115, 130, 115, 120, 128, 112, 138, 128, 138, 1]
    moved = move(face, 10.0, 4.0, mirrored=True)[0]
    assert moved[0] < moved[2] and moved[1] < moved[3]
    assert moved[4] < moved[6] and moved[10] < moved[12]
    assert moved[:2].tolist() == [CUT - 130, 96]


def test_a_tile_tells_only_of_faces_inside_it_and_is_the_same_for_the_same_seed() -> None:
    taught = 0
    for index in range(6):
        tile, faces = draw_tile(np.random.default_rng([1, index]))
        again, _ = draw_tile(np.random.default_rng([1, index]))
        assert tile.shape == (TILE, TILE, 3) and np.array_equal(tile, again)
        boxes = faces[faces[:, 14] != 0, :4]
        assert (boxes >= 0).all() and (boxes <= TILE).all()
        large = faces[faces[:, 14] > 0]
        assert ((large[:, 2:4] - large[:, :2]).max(axis=1, initial=0) > SMALLEST_TAUGHT / 2).all()
        taught += len(large)
    assert taught > 0


def test_a_stopped_run_goes_on_where_it_was(tmp_path: Path) -> None:
    model = torch.nn.Linear(4, 1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        model(torch.ones(2, 4)).sum().backward()
        optimizer.step()
    save(tmp_path, model, optimizer, Progress(steps=3, seconds=1.5))

    other = torch.nn.Linear(4, 1)
    resumed = torch.optim.AdamW(other.parameters(), lr=0.1)
    assert load(tmp_path, other, resumed) == Progress(steps=3, seconds=1.5)
    assert torch.equal(other.weight, model.weight)
    for before, after in zip(optimizer.state.values(), resumed.state.values(), strict=True):
        assert torch.equal(before["exp_avg_sq"], after["exp_avg_sq"])


def test_a_run_stops_when_its_minutes_are_over_and_is_not_repeated(tmp_path: Path) -> None:
    model = torch.nn.Linear(1, 1)
    calls = []

    def batch_loss(progress: float) -> tuple[torch.Tensor, dict[str, float]]:
        calls.append(progress)
        return model(torch.ones(1, 1)).square().sum(), {}

    fit(model, batch_loss, tmp_path, minutes=0.002, peak=0.1)
    steps = len(calls)
    assert steps > 1 and calls == sorted(calls)
    fit(model, batch_loss, tmp_path, minutes=0.002, peak=0.1)
    assert len(calls) == steps


def test_learning_rate_rises_then_falls_to_nearly_nothing() -> None:
    rates = [learning_rate(progress, 1.0) for progress in (0.0, 0.03, 0.5, 1.0)]
    assert rates[0] < rates[1] > rates[2] > rates[3] > 0
    assert rates[3] < 0.01
