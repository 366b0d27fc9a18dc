import fnmatch
import json
from pathlib import Path

import pytest
from myvlm_tag.schemas.errors import ModelDamaged, ModelMissing, UsageProblem
from myvlm_tag.stages.packs import MODERN, PACKS, PAPER, POCKET, find_pack, folder_of, locate

ALL = [(pack, model) for pack in PACKS.values() for model in pack.models]


@pytest.mark.parametrize("pack", PACKS.values(), ids=PACKS)
def test_every_pack_has_faces_clip_and_a_vlm(pack):
    assert [len(pack.of_kind(kind)) >= 1 for kind in ("faces", "clip", "vlm")] == [True] * 3
    assert pack.about and find_pack(pack.name) is pack


@pytest.mark.parametrize(("pack", "model"), ALL, ids=[f"{pack.name}-{model.key}" for pack, model in ALL])
def test_every_model_names_its_licence_size_and_origin(pack, model):
    assert model.licence and model.files
    assert bool(model.sources) == (pack is not POCKET) == (model.megabytes > 0)
    for source in model.sources:
        assert source.where.startswith(("hf:", "hf-space:", "https://"))
        assert not any(fnmatch.fnmatch("training_args.bin", pattern) for pattern in source.files)


def test_packaged_weights_are_looked_for_beside_the_code():
    folder = folder_of(POCKET.of_kind("faces")[0], Path("home"))
    assert folder.parts[-3:] == ("world", "weights", "faces")
    assert (folder.parents[2] / "stages" / "packs.py").is_file()


@pytest.mark.parametrize("pack", [PAPER, MODERN], ids=["paper", "modern"])
def test_a_missing_model_is_one_line_with_the_command_that_gets_it(pack, tmp_path):
    for model in pack.models:
        with pytest.raises(ModelMissing) as caught:
            locate(model, tmp_path)
        assert str(tmp_path / "models" / model.key) in caught.value.cause
        assert caught.value.hint.startswith("get it with: myvlm-tag models pull ")
        assert "\n" not in str(caught.value)


def test_a_model_counts_as_there_when_all_its_files_are(tmp_path):
    model = PAPER.of_kind("clip")[0]
    folder = tmp_path / "models" / model.key
    folder.mkdir(parents=True)
    (folder / "open_clip_config.json").write_text("{}")
    with pytest.raises(ModelMissing, match=r"\*\.safetensors missing"):
        locate(model, tmp_path)
    (folder / "open_clip_model.safetensors").touch()
    assert locate(model, tmp_path) == folder


def test_a_folder_of_one_s_own_is_a_pack(tmp_path):
    for name, file in (("faces", "a.onnx"), ("clip", "open_clip_config.json"), ("llava", "config.json")):
        (tmp_path / name).mkdir()
        (tmp_path / name / file).touch()
    (tmp_path / ".cache").mkdir()
    (tmp_path / "pack.json").write_text(json.dumps({"faces": {"threshold": 0.3}}))
    pack = find_pack(str(tmp_path))
    assert [(model.key, model.kind) for model in pack.models] == [
        ("clip", "clip"),
        ("faces", "faces"),
        ("llava", "vlm"),
    ]
    assert pack.of_kind("faces")[0].settings == {"threshold": 0.3}
    assert locate(pack.of_kind("faces")[0], Path("home")) == tmp_path / "faces"
    with pytest.raises(ModelMissing, match=r"\*\.safetensors missing"):
        locate(pack.of_kind("clip")[0], Path("home"))


def test_what_is_no_pack_is_refused_in_one_line(tmp_path):
    with pytest.raises(UsageProblem, match="known are pocket, paper, modern"):
        find_pack("papper")
    with pytest.raises(UsageProblem, match="holds no models"):
        find_pack(str(tmp_path))
    (tmp_path / "faces").mkdir()
    (tmp_path / "pack.json").write_text("{")
    with pytest.raises(ModelDamaged, match=r"pack\.json can't be read"):
        find_pack(str(tmp_path))
