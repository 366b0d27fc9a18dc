from pathlib import Path
from typing import ClassVar

import pyarrow as pa
import pytest
from myvlm_tag.schemas.tables import FAILURE
from myvlm_tag.stages.base import Stage, check_chain, with_failures
from myvlm_tag.stages.clip import Clip
from myvlm_tag.stages.decode import Decode
from myvlm_tag.stages.faces import Faces
from myvlm_tag.stages.packs import POCKET

FIRST = pa.schema([("photo_id", pa.string()), ("path", pa.string()), ("size", pa.int64())])


class Measure(Stage):
    name: ClassVar[str] = "measure"
    needs: ClassVar[pa.Schema] = pa.schema([("size", pa.int32()), ("colour", pa.string())])
    gives: ClassVar[pa.Schema] = pa.schema([("path", pa.string())])
    batch_size: ClassVar[int] = 0
    gpus: ClassVar[float] = -1

    def __call__(self, table):
        return table


@pytest.fixture
def features():
    faces, clip = POCKET.of_kind("faces")[0], POCKET.of_kind("clip")[0]
    return [Decode(), Faces(faces, Path("home"), "f"), Clip(clip, Path("home"), "c")]


def test_the_features_chain_fits_together(features):
    assert check_chain(features, FIRST) == []


def test_every_problem_of_a_chain_is_reported_at_once():
    problems = check_chain([Measure, Measure], FIRST)
    assert problems[0] == "stage name 'measure' is used 2 times"
    told = " ".join(problems)
    assert "needs column 'colour' (string), which no earlier stage gives" in told
    assert "needs column 'size' as int32, but it is int64" in told
    assert "gives column 'path', which is already there" in told
    assert "batch size" in told and "negative" in told
    assert len(problems) == 11


def test_a_stage_before_the_one_that_feeds_it_is_a_problem(features):
    problems = check_chain(features[::-1], FIRST)
    assert any("stage clip: needs column 'image'" in problem for problem in problems)


def test_failures_are_noted_beside_earlier_ones():
    earlier = {"stage": "decode", "kind": "empty", "reason": "0 bytes"}
    table = pa.table({"photo_id": ["a", "b", "c"], "failure": pa.array([earlier, None, None], FAILURE)})
    noted = with_failures(table, "faces", {2: "it went wrong"})["failure"].to_pylist()
    assert noted == [earlier, None, {"stage": "faces", "kind": "error", "reason": "it went wrong"}]
