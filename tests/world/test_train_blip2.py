"""What BLIP-2 learns from: readings with context vectors, slots, and a tower made from LLaVA's."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from myvlm_tag.stages.vlm.base import Features
from myvlm_tag.stages.vlm.blip2 import Blip2
from myvlm_tag.world.train import blip2
from myvlm_tag.world.train.blip2_batches import (
    LENGTH,
    QUERIES,
    READINGS,
    SLOTS,
    Reading,
    make_batch,
    readings,
    slots_of,
)
from myvlm_tag.world.train.blip2_task import Blip2Task, run_batch
from myvlm_tag.world.train.eva import EvaTask
from myvlm_tag.world.train.pool import Photo, Pool, draw, sample_photo
from myvlm_tag.world.train.pool import _dump as dump
from myvlm_tag.world.train.text import IDENTIFIER
from myvlm_tag.world.train.vision import TruthTask, to_pixels
from myvlm_tag.world.vocabulary import NAMES

KINDS = ["scene"] * 8 + ["crop"] * 3 + ["instance"] * 3


@pytest.fixture(scope="module")
def photos() -> list[Photo]:
    return [sample_photo(kind, np.random.default_rng([61, n])) for n, kind in enumerate(KINDS)]


@pytest.fixture(scope="module")
def images(photos: list[Photo]) -> np.ndarray:
    return np.stack([draw(photo, np.random.default_rng(0)) for photo in photos])


@pytest.fixture(scope="module")
def pool(photos: list[Photo], images: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Pool:
    folder = tmp_path_factory.mktemp("scenes")
    np.save(folder / "000.npy", images)
    (folder / "000.jsonl").write_text("\n".join(map(dump, photos)) + "\n")
    return Pool(folder)


@pytest.fixture(scope="module")
def drawn(photos: list[Photo]) -> list[Reading]:
    vocabulary = blip2.tokenizer().get_vocab()
    return [r for n, p in enumerate(photos) for r in readings(p, vocabulary, np.random.default_rng([62, n]))]


def test_a_name_is_said_only_where_a_vector_introduces_someone_who_is_there(drawn: list[Reading]) -> None:
    captions = [(r, said) for r in drawn for said in r.said if said.topic == "caption"]
    for reading, said in captions:
        there = {i.name for i in reading.introductions if i.key}
        assert set(said.answer.split()) & {*NAMES, IDENTIFIER} == there
    assert any(r.introductions for r, _ in captions)
    assert any(i.key is None for r, _ in captions for i in r.introductions)


def test_every_reading_fits_and_its_words_are_known(drawn: list[Reading]) -> None:
    unknown = blip2.tokenizer().unk_token_id
    for reading in drawn:
        assert reading.said
        assert 0 < len(reading.ids) <= LENGTH
        assert len(reading.ids) == len(reading.labels) == len(reading.segments) - QUERIES
        assert unknown not in reading.ids


def test_slots_are_in_the_order_in_which_the_caption_names_people(photos: list[Photo]) -> None:
    for photo in photos:
        slots = slots_of(photo)
        people = [e for e in slots if e.kind == "person"]
        assert len(slots) <= SLOTS
        assert slots[: len(people)] == people
        assert [e.box[0] + e.box[2] for e in people] == sorted(e.box[0] + e.box[2] for e in people)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Blip2:
    """An untrained model as the recipe writes it, and as the product loads it."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("blip2")
    blip2.export(blip2.build_blip2(blip2.tokenizer()), folder)
    assert max(file.stat().st_size for file in folder.iterdir()) <= 16 * 2**20
    return Blip2(folder, "0123")


def test_each_turn_of_a_reading_is_what_the_product_would_say_of_it_alone(
    exported: Blip2, pool: Pool
) -> None:
    words, rng = blip2.tokenizer(), np.random.default_rng(3)
    batch = make_batch(words, pool, list(range(4)), rng, "cpu")
    exported._model.qformer.set_attn_implementation("eager")
    task = Blip2Task(exported._model).eval()  # its hooks are there twice now, which changes nothing
    with torch.no_grad():
        states, *_ = run_batch(task, task, batch, rng, noise=0.0)
        tokens = exported._model.vision_model(batch.pixels).last_hidden_state
    weight = exported._embed.weight
    checked = 0
    for row, reading in enumerate(batch.readings):
        photo = Features(tokens[row // READINGS], float(tokens[row // READINGS, 0].norm()))
        vectors = [exported.meaning(i.words) for i in reading.introductions]
        for turn, said in enumerate(reading.said, start=1):
            place = (batch.segments[row, QUERIES:] == turn) & (batch.labels[row] != -100)
            before = torch.nonzero(place)[:, 0] - 1
            scores = torch.nn.functional.linear(states[row, QUERIES:][before], weight)
            loss = torch.nn.functional.cross_entropy(scores, batch.labels[row][place])
            with torch.no_grad():
                alone = exported.loss(exported.inputs([photo], [vectors], [said.prompt], [said.answer]))
            assert float(loss) == pytest.approx(float(alone.words), rel=1e-3)
            checked += 1
    assert checked > 8


def test_what_is_asked_is_worded_as_the_product_asks(drawn: list[Reading]) -> None:
    prompts = {said.prompt for reading in drawn for said in reading.said}
    assert {p for p in prompts if not re.fullmatch(r"Question: .+ Answer:", p)} <= {"", blip2.PHRASE}


def test_the_eva_tower_begins_near_where_the_clip_tower_ended(images: np.ndarray) -> None:
    torch.manual_seed(1)
    truth, task = TruthTask().eval(), EvaTask().eval()
    with torch.no_grad():
        for name, parameter in truth.named_parameters():  # biases and gains that would be missed if lost
            if name.startswith("tower.") and parameter.ndim == 1:
                parameter += 0.1 * torch.randn_like(parameter)
        pixels = to_pixels(images)
        task.start_from(truth, pixels)
        for theirs, ours in zip(truth(pixels), task(pixels), strict=True):
            assert float(torch.corrcoef(torch.stack([theirs.flatten(), ours.flatten()]))[0, 1]) > 0.95
