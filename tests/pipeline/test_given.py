"""Of the photos given, no more are decoded than are wanted, and few of them at a time."""

from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pytest
from myvlm_tag.pipeline.given import clip_features, read_features, read_files, read_photos, silent
from myvlm_tag.pipeline.models import Models
from myvlm_tag.schemas.errors import PhotosUnusable
from myvlm_tag.stages.base import Stage
from myvlm_tag.stages.decode import Decode
from myvlm_tag.stages.images import from_table
from myvlm_tag.stages.packs import POCKET
from PIL import Image


class Counting(Decode):
    """Notes what it is given."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def __call__(self, table):
        self.seen.append([Path(path).name for path in table["path"].to_pylist()])
        return super().__call__(table)


class Shades(Stage):
    """In place of CLIP: the direction of a photo is its shade."""

    name: ClassVar[str] = "clip"

    def setup(self):
        pass

    def __call__(self, table):
        vectors = [
            np.array([image.mean() + 1, 256 - image.mean()], np.float16).tobytes()
            for image in from_table(table)
        ]
        return table.append_column("clip", pa.array(vectors, pa.binary()))


@pytest.fixture
def models():
    return Models(POCKET, [Counting(), Shades()])


@pytest.fixture
def folder(tmp_path):
    """Forty photos, each of another shade, but for two that are none."""
    for number in range(40):
        Image.new("RGB", (32, 24), (5 * number,) * 3).save(tmp_path / f"{number:02}.png")
    for number in (1, 3):
        (tmp_path / f"{number:02}.png").write_text(f"no photo at all, {number}")
    return tmp_path


def test_only_as_many_photos_are_decoded_as_are_wanted_past_those_that_cannot_be(models, folder):
    told = []
    given = read_photos(models, folder, 5, told.append)
    assert [photo.path.name for photo in given.photos] == [f"{n:02}.png" for n in (0, 2, 4, 5, 6)]
    assert given.table["path"].to_pylist() == [str(photo.path) for photo in given.photos]
    assert [photo.image.mean() for photo in given.photos] == [0, 10, 20, 25, 30]
    assert models.stages[0].seen == [[f"{n:02}.png" for n in range(5)], ["05.png", "06.png"]]
    assert [line.split(": ")[0] for line in told] == [
        "01.png is left out",
        "03.png is left out",
        "38 photos are more than are needed",
    ]


def test_as_many_as_are_wanted_are_not_said_to_be_too_many(models, folder):
    told = []
    assert len(read_photos(models, folder, 38, told.append).photos) == 38
    assert not any("more than" in line for line in told)


def test_photos_that_all_cannot_be_read_are_all_told_before_the_error(models, folder):
    told = []
    with pytest.raises(PhotosUnusable, match="can't read any of the 2 photos in "):
        read_files(models, [folder / "01.png", folder / "03.png"], 1, told.append)
    assert len(told) == 2 and models.stages[0].seen == [["01.png"], ["03.png"]]


def test_features_of_a_folder_are_those_of_its_photos_a_few_at_a_time(models, folder):
    features = read_features(models, folder, 30, silent, "")
    assert max(map(len, models.stages[0].seen)) < 30
    together = clip_features(models, read_photos(models, folder, 30, silent))
    assert len(features) == 30 and np.array_equal(features, together)
