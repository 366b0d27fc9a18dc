"""What is shipped of every pocket model: small files without code, and a card that says what they are."""

from __future__ import annotations

from pathlib import Path

import pytest
from myvlm_tag.stages.packs import POCKET

WEIGHTS = Path(__file__).parents[2] / "world" / "weights"
SHIPPED = [model.key for model in POCKET.models]


def test_every_pocket_model_has_its_folder_and_every_folder_a_model() -> None:
    assert sorted(SHIPPED) == sorted(folder.name for folder in WEIGHTS.iterdir() if folder.is_dir())


@pytest.mark.parametrize("name", SHIPPED)
def test_each_file_is_small_enough_to_ship_and_none_is_a_pickle(name: str) -> None:
    files = [file for file in (WEIGHTS / name).iterdir() if file.is_file()]

    assert max(file.stat().st_size for file in files) <= 16 * 2**20
    assert not {file.suffix for file in files} & {".bin", ".pt", ".pth", ".pkl"}


@pytest.mark.parametrize("name", SHIPPED)
def test_its_card_says_what_was_measured_and_under_which_licence(name: str) -> None:
    card = (WEIGHTS / name / "MODEL_CARD.md").read_text()

    assert "Apache-2.0" in card
    assert "myvlm_tag.world.measure" in card
