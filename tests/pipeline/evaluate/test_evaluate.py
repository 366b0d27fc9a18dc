"""The whole evaluation: over untrained tiny models it has every figure, over pocket ones the right ones."""

import json
import shutil
import weakref
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from myvlm_tag.cli import app
from myvlm_tag.pipeline.evaluate.run import TABLES
from myvlm_tag.schemas.errors import ModelMissing, UsageProblem
from myvlm_tag.stages.packs import PACKS, POCKET, Pack, Source, locate
from myvlm_tag.stages.vlm import families
from myvlm_tag.tests.pipeline.conftest import write_photos
from myvlm_tag.tests.stages.vlm.checkpoints import write_llava
from myvlm_tag.world.measure.concepts import write_concepts
from safetensors.numpy import save_file
from typer.testing import CliRunner


@pytest.fixture(scope="module")
def pack(tiny_pack, tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluated")
    for name in ("faces", "clip"):
        shutil.copytree(tiny_pack / name, folder / name)
    (folder / "llava").mkdir()
    write_llava(folder / "llava")
    (folder / "pack.json").write_text('{"llava": {"recipe": {"steps": 4, "attention": 0.5}}}')
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
    recipe = told["recipes"]["llava"]
    assert (recipe["steps"], recipe["attention"]) == (4, 0.5) and {"rate", "start"} <= set(recipe)
    assert not (tmp_path / "home" / "concepts").exists()


def test_one_model_is_let_go_before_the_next_one_is_loaded(pack, concepts, tmp_path, monkeypatch):
    both = tmp_path / "both"
    shutil.copytree(pack, both)
    shutil.copytree(both / "llava", both / "llava-b")
    few = {"recipe": {"steps": 4}}
    (both / "pack.json").write_text(json.dumps({"llava": few, "llava-b": few}))
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
    common = ("--models", pack, "--home", tmp_path / "home", "--seeds", "3", "--training", "2")
    words = _evaluate(concepts, *common, "--tables", "7", "--vlm", "x")
    assert "Table 7: heads" in words and "Table 1" not in words


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    """Two people and a pet, five photos of each, clearly of it alone but for each person's last."""
    return write_concepts(tmp_path_factory.mktemp("rendered"), 81, 3, 0)


def _gather(folder, rendered, photos):
    """A folder of concepts, made of photos of the rendered ones: concept -> {(of whom, number): facts}."""
    for name, known in photos.items():
        (folder / name).mkdir(parents=True)
        facts = {}
        for (whose, number), more in known.items():
            truth = json.loads((rendered / whose / "facts.json").read_text())
            taken = list(truth)[number]
            file = f"{whose} {number}{Path(taken).suffix}"
            shutil.copy(rendered / whose / taken, folder / name / file)
            own = truth[taken] if whose == name else {}
            facts[file] = {**own, "teaches": number < 3, **more}
        (folder / name / "facts.json").write_text(json.dumps(facts))
    return folder


def _taught(name):
    return {(name, number): {} for number in range(3)}


@pytest.fixture(scope="module")
def pocket(rendered, tmp_path_factory):
    """What the pocket LLaVA makes of a person and a pet; one photo of the person is of someone else."""
    folder = tmp_path_factory.mktemp("pocket")
    photos = {
        "adam": _taught("adam") | {("adam", 3): {}, ("emma", 3): {}},
        "mochi": _taught("mochi") | {("mochi", 3): {}, ("mochi", 4): {}},
    }
    data = _gather(folder / "two", rendered, photos)
    common = ("--home", folder / "home", "--seeds", "1", "--training", "3", "--tables", "1,7,vqa")
    return json.loads(_evaluate(data, *common, "--json"))["tables"]


def _means(table):
    return {row: {column: cell["mean"] for column, cell in cells.items()} for row, cells in table.items()}


def test_names_are_said_of_those_photos_in_which_heads_find_them(pocket):
    heads, recall = _means(pocket["7"][""]), _means(pocket["1"]["llava"])
    assert heads == {
        "people": {"found": 50, "taken for another": 0, "missed": 50},  # the other photo is of someone else
        "objects": {"found": 100, "others rejected": 100},
    }
    mine = recall["MyVLM"]
    assert mine["people"] <= 50 <= mine["objects"] and mine["all"] == (mine["people"] + mine["objects"]) / 2
    for way in ("simple replacement", "LLM-guided replacement"):
        assert all(recall[way][column] <= value for column, value in mine.items())


def test_questions_are_asked_of_photos_whose_answers_are_known(pocket):
    answers = _means(pocket["vqa"]["llava"])["MyVLM"]
    assert set(answers) == {"wearing", "doing", "where", "next to", "color", "boxes"}
    assert answers["wearing"] in (0, 100) and answers["color"] in (0, 50, 100)  # one photo, and two
    assert np.mean(list(answers.values())) >= 50 and answers["boxes"] >= 50


def test_heads_are_counted_by_what_is_known_of_each_photo(rendered, tmp_path):
    photos = {
        "adam": _taught("adam") | {("adam", 3): {}, ("emma", 3): {}, ("mochi", 3): {"others": ["mochi"]}},
        "emma": _taught("emma") | {("emma", 3): {}},
        "mochi": _taught("mochi") | {("mochi", 4): {}},
    }
    data = _gather(tmp_path / "three", rendered, photos)
    common = ("--home", tmp_path / "home", "--seeds", "1", "--training", "3", "--tables", "7")
    heads = _means(json.loads(_evaluate(data, *common, "--json"))["tables"]["7"][""])
    assert heads == {
        # adam's own, emma with him, no one; and emma's own
        "people": {"found": 50, "taken for another": 25, "missed": 25},
        "objects": {"found": 100, "others rejected": 100},  # but for the photo that mochi is in
    }


def test_rendered_concepts_are_judged_by_the_models_of_one_s_home_and_apart_from_its_concepts(
    tmp_path, monkeypatch
):
    pulled = [replace(model, sources=(Source("hf:some/one"),)) for model in POCKET.models[:2]]
    monkeypatch.setitem(PACKS, "pulled", Pack("pulled", "", tuple(pulled)))
    monkeypatch.setenv("MYVLM_TAG_HOME", str(tmp_path))
    arguments = ("--models", "pulled", "--tables", "7", "--seeds", "81", "--concepts", "2", "--photos", "1")
    done = CliRunner().invoke(app, ["evaluate", *arguments])
    assert isinstance(done.exception, ModelMissing) and str(tmp_path / "models") in str(done.exception)
    for model in POCKET.models[:2]:
        shutil.copytree(locate(model, tmp_path), tmp_path / "models" / model.key)
    (tmp_path / "concepts" / "damaged").mkdir(parents=True)
    told = json.loads(_evaluate(*arguments, "--json"))
    assert set(told["tables"]["7"][""]) == {"people", "objects"} and told["concepts"] == 2


@pytest.mark.parametrize("seeds", ["-1", "1,x", "", "1.5"])
def test_seeds_that_are_none_are_one_line(concepts, seeds):
    with pytest.raises(UsageProblem, match=r"--seeds is .*; write it like 51,52"):
        CliRunner().invoke(app, ["evaluate", str(concepts), f"--seeds={seeds}"], catch_exceptions=False)
