"""The whole evaluation over untrained tiny models: every table has its figures, whatever they are."""

import json
import shutil
import weakref

import numpy as np
import pytest
from myvlm_tag.cli import app
from myvlm_tag.pipeline.evaluate.run import TABLES
from myvlm_tag.stages.vlm import families
from myvlm_tag.tests.pipeline.conftest import write_photos
from myvlm_tag.tests.stages.vlm.checkpoints import write_llava
from safetensors.numpy import save_file
from typer.testing import CliRunner


@pytest.fixture(scope="module")
def pack(tiny_pack, tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluated")
    for name in ("faces", "clip"):
        shutil.copytree(tiny_pack / name, folder / name)
    (folder / "llava").mkdir()
    write_llava(folder / "llava")
    bank = np.random.default_rng(0).normal(size=(40, 16)).astype(np.float16)
    save_file({"features": bank}, folder / "clip" / "negatives.safetensors")
    return folder


@pytest.fixture(scope="module")
def concepts(tmp_path_factory):
    """A ball and a mug; and someone of whom no photo tells whom it means: "faces" everywhere."""
    folder = tmp_path_factory.mktemp("concepts")
    for seed, name in enumerate(("anna", "ball", "mug")):
        photos = write_photos(folder / name, 12, seed)
        for number, path in enumerate(photos):
            if number % 2 != (name == "anna"):
                path.unlink()
        left = [path.name for path in photos if path.exists()]
        captions = {file: [f"{name} on a bench"] for file in left}
        facts = {file: {"box": [10, 10, 90, 90], "answers": {"where": ["in the middle"]}} for file in left}
        (folder / name / "captions.json").write_text(json.dumps(captions))
        (folder / name / "facts.json").write_text(json.dumps(facts))
    return folder


def _evaluate(*arguments):
    done = CliRunner().invoke(app, ["evaluate", *map(str, arguments)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_every_table_has_its_figures_one_for_each_draw(pack, concepts, tmp_path):
    common = (
        "--models",
        pack,
        "--home",
        tmp_path / "home",
        "--seeds",
        "1,2",
        "--photos",
        "1",
        "--training",
        "2",
    )
    told = json.loads(_evaluate(concepts, *common, "--out", tmp_path / "out", "--json"))
    assert told["datasets"] == ["concepts0, draw 1", "concepts0, draw 2"] and told["concepts"] == 4
    assert set(told["tables"]) == {*TABLES, "time"}
    recall = told["tables"]["1"]["llava"]
    assert set(recall) == {"MyVLM", "simple replacement", "LLM-guided replacement"}
    assert set(recall["MyVLM"]) == {"objects", "all"}
    assert len(recall["MyVLM"]["all"]["values"]) == 2 and recall["MyVLM"]["all"]["paper"] == 95.97
    assert set(told["tables"]["2"]["llava"]) == {"1", "2"}
    assert len(told["tables"]["5"]["llava"]) == 4
    assert {"B4", "CIDEr", "METEOR", "ROUGE-L", "chrF"} <= set(told["tables"]["6"]["llava"]["plain model"])
    assert set(told["tables"]["7"][""]["objects"]) == {"found", "others rejected"}
    assert {"where", "boxes"} == set(told["tables"]["vqa"]["llava"]["MyVLM"])
    assert (tmp_path / "out" / "report.md").is_file() and told["bars"]
    assert not (tmp_path / "home" / "concepts").exists()


def test_one_model_is_let_go_before_the_next_one_is_loaded(pack, concepts, tmp_path, monkeypatch):
    both = tmp_path / "both"
    shutil.copytree(pack, both)
    shutil.copytree(both / "llava", both / "llava-b")
    made, alive = [], []
    load = families.load

    def watched(*arguments):
        alive.append([one for one in made if one() is not None])
        adapter = load(*arguments)
        made.append(weakref.ref(adapter))
        return adapter

    monkeypatch.setattr(families, "load", watched)
    common = ("--models", both, "--home", tmp_path / "home", "--seeds", "1", "--photos", "1")
    _evaluate(concepts, *common, "--training", "1", "--tables", "1", "--vlm", "llava,llava-b")
    assert alive == [[], []]


def test_heads_alone_need_no_vision_language_model(pack, concepts, tmp_path):
    words = _evaluate(
        concepts, "--models", pack, "--home", tmp_path / "home", "--seeds", "3", "--tables", "7", "--vlm", "x"
    )
    assert "Table 7: heads" in words and "Table 1" not in words
