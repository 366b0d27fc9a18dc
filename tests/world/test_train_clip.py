"""The recipe of the pocket CLIP: batches in which only details tell instances apart, and what is exported."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from myvlm_tag.stages.clip import ImageTower, TextTower
from myvlm_tag.world.train.clip import (
    FAMILIES,
    FAMILY,
    LONERS,
    MIX,
    PAIRS,
    SIZE,
    ContrastTask,
    _draw,
    export,
    resized,
    tokenizer,
)
from myvlm_tag.world.train.pool import CHUNK, PHOTOS_PER_INSTANCE
from myvlm_tag.world.train.vision import PATCH, TruthTask, to_pixels


def test_instances_of_a_family_share_category_and_colour_and_differ_in_looks():
    for family in range(20):
        first, *others = (MIX.instance(3, family * FAMILY + place) for place in range(FAMILY))
        assert {(one.category, one.color) for one in others} == {(first.category, first.color)}
        assert all((one.pattern, one.second_color) != (first.pattern, first.second_color) for one in others)
        assert MIX.instance(3, family * FAMILY).vector().tolist() == first.vector().tolist()


def test_a_batch_has_two_photos_of_each_instance_of_its_families_and_then_scenes():
    kinds = MIX.kinds()
    pool = SimpleNamespace(kind=lambda index: kinds[index % CHUNK])
    first = kinds.index("instance")
    chosen, groups = _draw(pool, 3 * CHUNK, np.random.default_rng(1))
    assert len(chosen) == len(groups) == 2 * PAIRS + LONERS
    assert len(set(groups.tolist())) == PAIRS + LONERS
    instances = [
        (index // CHUNK, (index % CHUNK - first) // PHOTOS_PER_INSTANCE) for index in chosen[: 2 * PAIRS]
    ]
    for pair in range(PAIRS):
        one, other = 2 * pair, 2 * pair + 1
        assert instances[one] == instances[other] and chosen[one] != chosen[other]
        assert groups[one] == groups[other]
    families = {(chunk, number // FAMILY) for chunk, number in instances}
    assert len(families) <= FAMILIES
    assert {(chunk, family * FAMILY + place) for chunk, family in families for place in range(FAMILY)} == {
        *instances
    }
    assert {pool.kind(index) for index in chosen[2 * PAIRS :]} == {"scene"}


def test_positions_are_drawn_out_to_a_finer_grid_and_nothing_else_changes():
    state = TruthTask().state_dict()
    name = next(name for name in state if name.endswith("position_embedding.weight"))
    places = state[name][1:].reshape(9, 9, -1)
    places[:] = torch.arange(9.0)[None, :, None]  # tells the column
    finer = resized(state, SIZE // PATCH)
    assert torch.equal(finer[name][0], state[name][0])
    columns = finer[name][1:].reshape(12, 12, -1)
    assert torch.allclose(columns[0], columns[7], atol=1e-5)
    assert (columns[0, 1:, 0] > columns[0, :-1, 0]).all()
    assert all(torch.equal(finer[other], state[other]) for other in state if other != name)
    assert all(torch.allclose(one, state[key], atol=1e-5) for key, one in resized(state, 9).items())


@pytest.fixture(scope="module")
def task():
    torch.manual_seed(5)
    made = ContrastTask()
    made.start_from(TruthTask())
    return made.eval()


def test_open_clip_sees_and_reads_in_the_export_what_the_training_did(task, tmp_path):
    export(task, tmp_path)
    images = np.random.default_rng(2).integers(0, 256, (2, SIZE, SIZE, 3), np.uint8)
    sentences = ["a white dog on the beach", "a red mug in the kitchen"]
    with torch.no_grad():
        seen = task.see(to_pixels(images))[0].numpy()
        ids = tokenizer()(sentences, padding="max_length", truncation=True, return_tensors="pt")["input_ids"]
        read = torch.nn.functional.normalize(task.text.encode_text(ids), dim=-1).numpy()
    tower = ImageTower(tmp_path)
    assert np.allclose(tower.encode([tower.fit(image) for image in images]), seen, atol=5e-3)
    assert np.allclose(TextTower(tmp_path).encode(sentences), read, atol=5e-3)
    assert not np.allclose(seen[0], seen[1], atol=5e-3)
