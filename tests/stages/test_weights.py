import json
import os
import zipfile

import numpy as np
import pytest
import torch
from myvlm_tag.schemas.errors import DiskFull, ModelMissing
from myvlm_tag.stages.packs import Model, Pack, Source, find_pack
from myvlm_tag.stages.weights import fingerprint, pull, verify
from safetensors.numpy import load_file, save_file


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "pack" / "clip"
    folder.mkdir(parents=True)
    (folder / "open_clip_config.json").write_text("{}")
    save_file({"weight": np.arange(6.0)}, folder / "open_clip_model.safetensors")
    return folder


def test_a_fingerprint_changes_with_what_decides_the_output_only(folder):
    before = fingerprint(folder)
    (folder / "README.md").write_text("about")
    (folder / ".cache").mkdir()
    (folder / ".cache" / "etag.json").write_text("1")
    (folder / "training_args.bin").write_bytes(b"what a Trainer goes on from")
    os.utime(folder / "open_clip_config.json", (1, 1))
    assert fingerprint(folder) == before and len(before) == 16
    (folder / "open_clip_config.json").write_text('{"a": 1}')
    changed = fingerprint(folder)
    (folder / "merges.txt").write_text("a b")
    assert len({before, changed, fingerprint(folder)}) == 3


def test_a_fingerprint_follows_the_content_and_not_the_place(folder, tmp_path):
    before = fingerprint(folder)
    folder.rename(tmp_path / "elsewhere")
    assert fingerprint(tmp_path / "elsewhere") == before


def test_large_files_are_hashed_once(folder, tmp_path):
    cache = tmp_path / "home" / "fingerprints.json"
    first = fingerprint(folder, cache)
    known = json.loads(cache.read_text())
    known[str(folder / "open_clip_model.safetensors")][2] = "remembered"
    cache.write_text(json.dumps(known))
    remembered = fingerprint(folder, cache)
    assert remembered != first  # the file was not read again
    os.utime(folder / "open_clip_model.safetensors")
    assert fingerprint(folder, cache) == first
    cache.write_text("damaged")
    assert fingerprint(folder, cache) == first


def test_a_cache_that_cannot_be_written_costs_time_only(folder, tmp_path):
    (tmp_path / "file").touch()
    assert fingerprint(folder, tmp_path / "file" / "cache.json") == fingerprint(folder)


def test_verify_tells_sound_missing_and_damaged_models_apart(folder, tmp_path):
    pack = find_pack(str(folder.parent))
    assert [(verdict.present, verdict.problem) for verdict in verify(pack, tmp_path)] == [(True, "")]
    weights = folder / "open_clip_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-8])
    assert "open_clip_model.safetensors is damaged" in verify(pack, tmp_path)[0].problem
    weights.unlink()
    verdict = verify(pack, tmp_path)[0]
    assert (verdict.present, verdict.problem) == (False, "*.safetensors missing")
    assert "its folder missing" in verify(find_pack("paper"), tmp_path)[0].problem


@pytest.fixture
def published(tmp_path):
    """Two models at file:// addresses, published as the real ones are: a zip archive and a checkpoint."""
    site = tmp_path / "site"
    site.mkdir()
    with zipfile.ZipFile(site / "faces.zip", "w") as archive:
        archive.writestr("inner/detector.onnx", b"detector")
        archive.writestr("inner/landmarks.onnx", b"unwanted")
        archive.writestr("../escape.onnx", b"hostile")
    torch.save({"state_dict": {"weight": torch.arange(3.0)}}, site / "clip.pth")
    faces = Source((site / "faces.zip").as_uri(), ("detector.onnx",))
    return Pack(
        "published",
        "for tests",
        (
            Model("faces", "faces", "free", 1, ("detector.onnx",), (faces,)),
            Model("clip", "clip", "free", 1, ("*.safetensors",), (Source((site / "clip.pth").as_uri()),)),
        ),
    )


def test_pull_fetches_what_was_agreed_to_and_nothing_else(published, tmp_path):
    asked, home = [], tmp_path / "home"

    def agree(model):
        asked.append((model.key, model.licence, model.megabytes))
        return model.key == "faces"

    assert pull(published, home, agree) == [home / "models" / "faces"]
    assert asked == [("faces", "free", 1), ("clip", "free", 1)]
    assert sorted(os.listdir(home / "models")) == ["faces"]
    assert sorted(os.listdir(home / "models" / "faces")) == ["detector.onnx", "pulled.json"]
    assert not (home / "escape.onnx").exists()


def test_pull_turns_checkpoints_into_safetensors_and_goes_on_where_it_stopped(published, tmp_path):
    home, said = tmp_path / "home", []
    pull(published, home, lambda model: model.key == "faces")
    pull(published, home, lambda model: True, said.append)
    assert said[0] == "faces: already there"
    assert load_file(home / "models" / "clip" / "clip.safetensors")["weight"].tolist() == [0, 1, 2]
    assert not list(home.rglob("*.pth"))


def test_verify_notices_a_file_that_is_not_what_was_pulled(published, tmp_path):
    pull(published, tmp_path, lambda model: model.key == "clip")
    clip = Pack("clip", "", published.models[1:])
    assert verify(clip, tmp_path)[0].problem == ""
    save_file({"weight": np.zeros(3)}, tmp_path / "models" / "clip" / "clip.safetensors")
    assert verify(clip, tmp_path)[0].problem == "clip.safetensors is not what was pulled"


def test_a_source_that_cannot_be_reached_leaves_nothing_behind(published, tmp_path):
    (tmp_path / "site" / "faces.zip").unlink()
    with pytest.raises(ModelMissing, match="faces could not be fetched"):
        pull(published, tmp_path / "home", lambda model: True)
    assert not (tmp_path / "home" / "models" / "faces").exists()


def test_pull_says_beforehand_that_there_is_no_room(published, tmp_path):
    model = published.models[0]
    huge = Model("faces", "faces", "free", 10**12, model.files, model.sources)
    with pytest.raises(DiskFull, match="faces needs"):
        pull(Pack("huge", "", (huge,)), tmp_path / "home", lambda model: True)
