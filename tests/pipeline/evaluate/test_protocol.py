"""What a model says of photos becomes the right figures: by a model that says what it is told to."""

from pathlib import Path

import numpy as np
import pytest
import torch
from myvlm_tag.pipeline.evaluate.data import Facts, Shot
from myvlm_tag.pipeline.evaluate.data import Subject as Named
from myvlm_tag.pipeline.evaluate.protocol import Protocol
from myvlm_tag.pipeline.evaluate.subjects import Ready
from myvlm_tag.pipeline.evaluate.tables import Tables
from myvlm_tag.pipeline.given import GivenPhoto
from myvlm_tag.pipeline.learn import Looked
from myvlm_tag.pipeline.subject import Subject
from myvlm_tag.schemas.settings import Settings
from myvlm_tag.stages.vlm.base import Adapter, Features, Inputs, Losses
from myvlm_tag.stages.vlm.lessons import Pupil
from myvlm_tag.stages.vlm.recipe import Recipe
from myvlm_tag.stages.vlm.wording import LLAVA
from myvlm_tag.stages.vlm.words import CAPTION

#: Per photo (its shade): what the plain model says, what it says with the vector, what it answers of the
#: color, and where it points.
SAID = {
    50: ("a red mug on a table", "a sks on a table", "Red.", "[0.00, 0.00, 0.50, 0.50]"),
    100: ("a cup in the park", "sks in the park", "blue", "[0.00, 0.00, 0.10, 0.10]"),
    150: ("a red mug and a hat", "the sks and a hat", "red", "nowhere"),
    200: ("a dog", "sks", "red", "[0.00, 0.00, 0.50, 0.50]"),
}
TAUGHT = ("a red mug on a shelf", "sks on a shelf", "red", "")
PERSON = {60: ("a man in the park", "Bob in the park"), 110: ("a man and a dog", "a man and a dog")}


class Parrot(Adapter):
    """Knows photos by their shade; whatever else it sees is one to learn from."""

    name, wording, recipe, made_by = "parrot", LLAVA, Recipe(steps=1), "parrot 1"
    width = 4

    def __init__(self, said, taught):
        self.said, self.taught = said, taught

    def vector(self, values):
        return torch.as_tensor(np.asarray(values, np.float32))

    def encode(self, images):
        return [Features(torch.tensor([int(image[0, 0, 0])]), 1.0) for image in images]

    def inputs(self, features, vectors, prompts, targets=None):
        held = torch.stack([own[0] if own else torch.zeros(4) for own in vectors])
        return Inputs(features, held, held, held.bool(), held)

    def loss(self, inputs, attention=True):
        return Losses(inputs.embeds.square().mean(), inputs.embeds.new_zeros(()))

    def generate(self, features, vectors, prompts, max_new_tokens=512, sampling=None):
        told = []
        for one, own, prompt in zip(features, vectors, prompts, strict=True):
            said = self.said.get(int(one.tokens), self.taught)
            part = bool(own) if prompt == CAPTION else 3 if "bounding box" in prompt else 2
            told.append(said[int(part)])
        return told

    def meaning(self, text):
        return None

    def cost(self, word):
        return 1


def _photo(shade):
    return np.full((40, 40, 3), shade, np.uint8)


def _ready(kind, name, shades, right, fires):
    facts = Facts(box=(0.0, 0.0, 20.0, 20.0), answers={"color": ("red",)} if kind == "object" else {})
    shots = [Shot(Path(f"{shade}.jpg"), right.get(shade, ()), facts) for shade in shades]
    photos = [
        GivenPhoto(shot.path, "", _photo(shade), 1.0) for shot, shade in zip(shots, shades, strict=True)
    ]
    looked = Looked(Subject(kind, "", {}), None, [0, 1, 2], [Pupil(_photo(shade)) for shade in (7, 8, 9)])
    return Ready(Named(name, tuple(shots)), looked, shots, photos, np.array(fires), None)


@pytest.fixture(scope="module")
def cells():
    """The figures of a mug, and then of a man; the head overlooks the mug's fourth photo."""
    right = {50: ("mug on a table",), 100: ("mug in the big park",), 150: ("the mug and a hat",)}
    mug = _ready("object", "mug", list(SAID), right, [True, True, True, False])
    bob = _ready("person", "bob", list(PERSON), {}, [True, True])
    tables, wanted = Tables(), ("1", "2", "5", "6", "vqa")
    tellers = (Parrot(SAID, TAUGHT), "mug", mug), (Parrot(PERSON, ("a man", "Bob", "red", "")), "bob", bob)
    for adapter, key, ready in tellers:
        only = wanted if key == "mug" else ("1",)
        Protocol(adapter, key, Settings(), None, only).judge([ready], tables)
    return {
        table: {
            vlm: {row: {c: v[0] for c, v in cells.items()} for row, cells in rows.items()}
            for vlm, rows in own.items()
        }
        for table, own in tables.cells.items()
    }


def test_a_caption_counts_with_the_vector_where_the_head_fires_and_else_without(cells):
    assert cells["1"]["mug"]["MyVLM"] == {"objects": 75, "all": 75}
    # of "red mug" there is one in two captions
    assert cells["1"]["mug"]["simple replacement"] == {"objects": 50, "all": 50}
    assert "LLM-guided replacement" not in cells["1"]["mug"]  # nobody there to be asked without a photo


def test_people_have_a_column_of_their_own(cells):
    assert cells["1"]["bob"]["MyVLM"] == {"people": 50, "all": 50}
    assert cells["1"]["bob"]["simple replacement"] == {"people": 100, "all": 100}


def test_recall_of_fewer_photos_and_of_each_ablation_is_that_of_the_same_captions(cells):
    assert {row: own["recall"] for row, own in cells["2"]["mug"].items()} == {"1": 75, "2": 75, "3": 75}
    assert len(cells["5"]["mug"]) == 4 and all(own == {"recall": 75} for own in cells["5"]["mug"].values())


def test_captions_are_compared_with_the_right_ones_without_names_and_their_articles(cells):
    mine, plain = cells["6"]["mug"]["MyVLM"], cells["6"]["mug"]["plain model"]
    # of 5 + 6 + 5 words all are said but "big"
    assert mine["B1"] == pytest.approx(100 * np.exp(1 - 16 / 15)) and plain["B1"] < mine["B1"]


def test_answers_and_boxes_are_right_or_wrong_photo_by_photo(cells):
    assert cells["vqa"]["mug"]["MyVLM"] == {"color": 75, "boxes": 50}
