"""Settings: who wins, and what is said about a wrong one."""

from __future__ import annotations

from pathlib import Path

import pytest
from myvlm_tag.schemas.errors import UsageProblem
from myvlm_tag.schemas.settings import load_settings


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text('models = "paper"\nworkers = 3\nmax_pixels = 1000\n')
    return path


def test_flag_beats_environment_beats_file_beats_default(config: Path) -> None:
    environment = {"MYVLM_TAG_WORKERS": "4", "MYVLM_TAG_MODELS": "modern"}
    settings = load_settings({"models": "pocket", "workers": None}, environment, config)
    assert (settings.models, settings.workers, settings.max_pixels) == ("pocket", 4, 1000)
    assert settings.batch_size == 16


def test_home_is_made_absolute_and_ray_address_is_heard(config: Path) -> None:
    settings = load_settings({"home": "~/x"}, {"RAY_ADDRESS": "head:6379"}, config)
    assert settings.home == Path.home() / "x"
    assert settings.address == "head:6379"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("wokers = 3", "no setting named 'wokers'"),
        ('workers = "many"', "workers is 'many', which isn't a int"),
        ("workers = 1.5", "workers is 1.5"),
        ("verbose = 7", "verbose is 7"),
        ("batch_size = 0", "batch_size must be greater"),
        ("temperature = true", "temperature is True, which isn't a float"),
        ("temperature = nan", "temperature is nan; it can be 0 to 10"),
        ("models = ", "can't be read"),
        ('people = "left"', "people is 'left'; it can be plain, place, crop"),
        ('person_questions = {doing = "What?"}', "which isn't a table of questions"),
        ('object_questions = "What?"', "which isn't a table of questions"),
    ],
)
def test_a_wrong_config_file_is_one_line_that_names_it(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text)
    with pytest.raises(UsageProblem) as caught:
        load_settings({}, {}, path)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_wrong_environment_variable_is_named(config: Path) -> None:
    with pytest.raises(UsageProblem, match="MYVLM_TAG_WORKERS"):
        load_settings({}, {"MYVLM_TAG_WORKERS": "x"}, config)


def test_questions_come_from_the_file_or_as_the_same_text_from_the_environment(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('[person_questions]\nmood = "Is {} happy?"\n')
    settings = load_settings({}, {"MYVLM_TAG_OBJECT_QUESTIONS": '{size = "Is {} large?"}'}, path)
    assert settings.person_questions == {"mood": "Is {} happy?"}
    assert settings.object_questions == {"size": "Is {} large?"}
    assert set(load_settings({}, {}, tmp_path / "none").person_questions) >= {"wearing", "doing"}
