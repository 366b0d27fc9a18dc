"""`doctor` names everything that would keep a run from doing its work."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from myvlm_tag.pipeline import status
from myvlm_tag.pipeline.catalog import Catalog
from myvlm_tag.pipeline.home import ensure_home
from myvlm_tag.schemas.settings import Settings


@pytest.fixture(autouse=True)
def fit(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home, and memory enough, whatever else this machine is doing."""
    ensure_home(settings.home)
    monkeypatch.setattr(status, "_memory", lambda problems: {})


def test_every_model_that_a_run_would_use_and_that_is_not_there_is_a_problem(settings: Settings) -> None:
    facts, problems = status.doctor(replace(settings, models="paper", vlm="llava,blip2"))
    commands = [problem.rpartition(": ")[2] for problem in problems]
    names = ("buffalo_l", "dfn5b-clip-vit-h-14-378", "llava", "blip2")
    assert commands == [f"myvlm-tag models pull paper --only {name}" for name in names]
    assert facts["models"] == "paper: incomplete"


def test_a_pack_that_lacks_its_vision_language_model_is_incomplete(
    settings: Settings, telling_pack: Path, tmp_path: Path
) -> None:
    pack = shutil.copytree(telling_pack, tmp_path / "pack")
    assert status.doctor(replace(settings, models=str(pack)))[1] == []
    (pack / "llava" / "config.json").unlink()
    (problem,) = status.doctor(replace(settings, models=str(pack)))[1]
    assert "the vlm model llava is not in" in problem


def test_a_pack_in_which_no_model_can_tell_is_whole_unless_one_is_asked_for(settings: Settings) -> None:
    assert status.doctor(settings)[1] == []
    (problem,) = status.doctor(replace(settings, vlm="llava"))[1]
    assert "no vision-language model 'llava'" in problem


def test_a_home_whose_path_is_not_utf_8_is_a_problem(settings: Settings) -> None:
    Catalog(settings.catalog).prepare()
    renamed = settings.home.rename(settings.home.with_name(os.fsdecode(b"caf\xe9")))
    (problem,) = status.doctor(replace(settings, home=renamed))[1]
    assert problem.endswith("caf\\xe9 isn't UTF-8; rename it, or name another: --home FOLDER")


def test_libraries_for_a_gpu_take_the_place_of_the_others(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    lacking = {"faiss-cpu", "onnxruntime"}

    def version(name: str) -> str:
        if name in lacking:
            raise importlib.metadata.PackageNotFoundError(name)
        return "1.20"

    monkeypatch.setattr(importlib.metadata, "version", version)
    facts, problems = status.doctor(settings)
    assert problems == []
    assert facts["onnxruntime-gpu"] == "1.20"
    lacking.add("faiss-gpu-cu12")
    assert status.doctor(settings)[1] == ["faiss-cpu isn't installed: pip install faiss-cpu"]
