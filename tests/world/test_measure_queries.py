"""The measure of questions, on a catalog that tells the truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from myvlm_tag.world.measure.queries import f1, judge, read_scenes, write_sentences

from ..pipeline.ask.truthful import home_of_sample
from .conftest import Sample


def test_f1_is_one_for_the_same_and_nought_for_others() -> None:
    assert f1({1, 2}, {1, 2}) == 1
    assert f1({1}, {2}) == 0
    assert f1({1, 2, 3}, {1}) == pytest.approx(0.5)


def test_there_are_sentences_of_many_shapes(sample: Sample) -> None:
    sentences = list(write_sentences(read_scenes(sample.out), np.random.default_rng(1)))
    assert len({sentence.shape for sentence in sentences}) >= 12
    assert all(len(sentence.truth) >= 2 for sentence in sentences)


def test_a_catalog_that_tells_the_truth_answers_nearly_all(sample: Sample, tmp_path: Path) -> None:
    """Nearly: photos without a caption are for CLIP to find, and a stranger's back is nobody's face."""
    home = home_of_sample(tmp_path / "home", sample.out)
    figures = judge(home, sample.out, 1)
    told = {name: figure.value for name, figure in figures.items()}
    worn = next(value for name, value in told.items() if "wearing a colour" in name)
    assert worn == 1
    for shape in ("person", "two people", "without", "month", "doing", "side", "clothes"):
        assert told.get(f"  {shape}", 1) == 1
