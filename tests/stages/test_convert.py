"""Checkpoints become the safetensors that transformers looks for, and nothing is lost on the way."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from myvlm_tag.schemas.errors import DiskFull, ModelDamaged, ModelMissing
from myvlm_tag.stages.convert import convert, to_safetensors
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM


@pytest.fixture
def model(tmp_path: Path) -> LlamaForCausalLM:
    """A model whose configuration lies in `tmp_path`; its weights are for the test to write."""
    config = LlamaConfig(
        vocab_size=32,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        tie_word_embeddings=True,
    )
    config.save_pretrained(tmp_path)
    return LlamaForCausalLM(config)


def write_shards(model: LlamaForCausalLM, folder: Path, count: int = 3, variant: str = "") -> list[Path]:
    """As transformers used to save large models: numbered checkpoints and their index."""
    state = model.state_dict()
    places = {
        name: f"pytorch_model{variant}-{place % count + 1:05}-of-{count:05}.bin"
        for place, name in enumerate(state)
    }
    for file in set(places.values()):
        torch.save({name: state[name] for name in state if places[name] == file}, folder / file)
    index = {"metadata": {"total_size": 1}, "weight_map": places}
    (folder / f"pytorch_model.bin.index{variant}.json").write_text(json.dumps(index))
    return sorted(folder / file for file in set(places.values()))


def check_loads(folder: Path, model: LlamaForCausalLM, **choice: Any) -> None:
    loaded, report = AutoModelForCausalLM.from_pretrained(
        folder, use_safetensors=True, local_files_only=True, output_loading_info=True, **choice
    )
    assert not report["missing_keys"] and not report["unexpected_keys"]
    wanted = model.state_dict()
    assert all(torch.equal(tensor, wanted[name]) for name, tensor in loaded.state_dict().items())


@pytest.mark.parametrize("variant", ["", ".fp16"])
def test_transformers_finds_a_checkpoint_that_was_one_file(
    variant: str, model: LlamaForCausalLM, tmp_path: Path
) -> None:
    torch.save(model.state_dict(), tmp_path / f"pytorch_model{variant}.bin")
    convert(tmp_path)
    made = {path.name for path in tmp_path.iterdir()} - {"config.json"}
    assert made == {f"model{variant}.safetensors"}
    check_loads(tmp_path, model, variant=variant.strip(".") or None)


@pytest.mark.parametrize("variant", ["", ".fp16"])
def test_transformers_finds_a_checkpoint_that_was_several_files(
    variant: str, model: LlamaForCausalLM, tmp_path: Path
) -> None:
    write_shards(model, tmp_path, 3, variant)
    convert(tmp_path)
    shards = {f"model{variant}-0000{number}-of-00003.safetensors" for number in (1, 2, 3)}
    made = {path.name for path in tmp_path.iterdir()} - {"config.json"}
    assert made == {*shards, f"model.safetensors.index{variant}.json"}
    check_loads(tmp_path, model, variant=variant.strip(".") or None)


def test_a_shard_that_is_missing_is_named_before_anything_is_done(
    model: LlamaForCausalLM, tmp_path: Path
) -> None:
    write_shards(model, tmp_path)[1].unlink()
    before = sorted(tmp_path.iterdir())
    with pytest.raises(ModelMissing, match=r"lacks pytorch_model-00002-of-00003\.bin"):
        convert(tmp_path)
    assert sorted(tmp_path.iterdir()) == before


def test_no_shard_is_deleted_before_all_are_converted(model: LlamaForCausalLM, tmp_path: Path) -> None:
    shards = write_shards(model, tmp_path)
    whole = shards[1].read_bytes()
    shards[1].write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelDamaged, match=rf"{shards[1].name} can't be read"):
        convert(tmp_path)
    assert all(shard.exists() for shard in shards)
    assert not (tmp_path / "model.safetensors.index.json").exists()
    shards[1].write_bytes(whole)
    convert(tmp_path)
    check_loads(tmp_path, model)


def test_a_checkpoint_stays_until_its_result_opens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def cut_short(tensors: Any, file: Path, metadata: Any) -> None:
        save_file(tensors, file, metadata)
        os.truncate(file, file.stat().st_size - 1)

    torch.save({"weight": torch.arange(3.0)}, tmp_path / "pytorch_model.bin")
    monkeypatch.setattr("safetensors.torch.save_file", cut_short)
    with pytest.raises(DiskFull, match=r"model\.safetensors could not be written whole"):
        convert(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["pytorch_model.bin"]


def test_safetensors_that_are_there_already_are_left_alone(model: LlamaForCausalLM, tmp_path: Path) -> None:
    said: list[str] = []
    save_file(model.state_dict() | {"lm_head.weight": torch.zeros(1)}, tmp_path / "model.safetensors")
    before = (tmp_path / "model.safetensors").read_bytes()
    torch.save({"weight": torch.zeros(1)}, tmp_path / "pytorch_model.bin")
    shards = write_shards(model, tmp_path)
    convert(tmp_path, said.append)
    assert (tmp_path / "model.safetensors").read_bytes() == before
    assert all(path.exists() for path in (tmp_path / "pytorch_model.bin", *shards))
    assert "model.safetensors is there already; pytorch_model.bin is left alone" in said


def test_a_result_that_was_cut_short_is_made_again(model: LlamaForCausalLM, tmp_path: Path) -> None:
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    (tmp_path / "model.safetensors").write_bytes(b"half")
    convert(tmp_path)
    check_loads(tmp_path, model)


def test_other_checkpoints_keep_their_names(tmp_path: Path) -> None:
    for name in ("open_clip_pytorch_model.bin", "eva_vit_g.pth"):
        torch.save({"weight": torch.arange(3.0)}, tmp_path / name)
    convert(tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["eva_vit_g.safetensors", "open_clip_pytorch_model.safetensors"]


def test_what_a_trainer_keeps_is_left_alone(model: LlamaForCausalLM, tmp_path: Path) -> None:
    names = ("training_args.bin", "optimizer.pt", "scheduler.pt", "rng_state.pth", "rng_state_0.pth")
    for name in names:
        (tmp_path / name).write_bytes(b"no checkpoint")
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    convert(tmp_path)
    assert {(tmp_path / name).read_bytes() for name in names} == {b"no checkpoint"}
    check_loads(tmp_path, model)


class Hostile:
    """Runs a command when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.mark}",)


@pytest.mark.parametrize("how", ["zip", "old", "pickle", "program"])
def test_a_checkpoint_that_holds_more_than_tensors_is_not_opened(how: str, tmp_path: Path) -> None:
    checkpoint, mark = tmp_path / "hostile.bin", tmp_path / "should-not-exist"
    content = {"weight": torch.arange(3.0), "more": Hostile(mark)}
    if how == "pickle":
        checkpoint.write_bytes(pickle.dumps({"more": Hostile(mark)}))
    elif how == "program":
        torch.jit.trace(torch.nn.Linear(2, 2), torch.zeros(1, 2)).save(checkpoint)
    else:
        torch.save(content, checkpoint, _use_new_zipfile_serialization=how == "zip")
    with pytest.raises(
        ModelDamaged, match=r"hostile\.bin holds more than tensors; it is not opened"
    ) as caught:
        to_safetensors(checkpoint)
    assert "myvlm-tag models pull" in caught.value.hint
    assert checkpoint.exists() and not mark.exists()


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("share", [0, 0.001, 0.01, 0.3, 0.999])
def test_a_checkpoint_that_was_cut_short_is_to_be_fetched_again(
    share: float, old: bool, tmp_path: Path
) -> None:
    checkpoint = tmp_path / "pytorch_model.bin"
    torch.save({"weight": torch.ones(200, 200)}, checkpoint, _use_new_zipfile_serialization=not old)
    os.truncate(checkpoint, int(share * checkpoint.stat().st_size))
    with pytest.raises(ModelDamaged, match=r"pytorch_model\.bin can't be read: it is cut short") as caught:
        to_safetensors(checkpoint)
    assert "fetch it again, a pack's with: myvlm-tag models pull" in caught.value.hint
    assert "\n" not in str(caught.value)
    assert checkpoint.exists()


def test_a_page_that_was_saved_as_a_checkpoint_is_to_be_fetched_again(tmp_path: Path) -> None:
    (tmp_path / "weights.pth").write_text("<!doctype html><html>Please log in</html>")
    with pytest.raises(ModelDamaged, match=r"weights\.pth can't be read"):
        to_safetensors(tmp_path / "weights.pth")


def test_numbers_and_words_among_the_tensors_are_left_out_and_named(tmp_path: Path) -> None:
    said: list[str] = []
    torch.save({"weight": torch.arange(3.0), "epoch": 7, "by": "me", "none": None}, tmp_path / "a.bin")
    made = to_safetensors(tmp_path / "a.bin", said.append)
    assert {name: tensor.tolist() for name, tensor in load_file(made).items()} == {"weight": [0, 1, 2]}
    assert said == ["a.bin: left out epoch, by, none, which are no tensors"]


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (
            {"weight": torch.ones(1), "parts": {"inner": torch.ones(1)}},
            "more than tensors: 'parts' is a dict",
        ),
        ([torch.ones(1)], "holds a list, not a model"),
        ({"epoch": 7}, "holds no tensors"),
    ],
)
def test_a_checkpoint_of_which_something_would_be_lost_is_not_converted(
    content: Any, cause: str, tmp_path: Path
) -> None:
    torch.save(content, tmp_path / "a.bin")
    with pytest.raises(ModelDamaged, match=cause) as caught:
        to_safetensors(tmp_path / "a.bin")
    assert "myvlm-tag models pull" in caught.value.hint
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]


def test_a_model_of_tensors_beside_what_training_needs_is_taken_out(tmp_path: Path) -> None:
    content = {"model": {"weight": torch.ones(2)}, "optimizer": {"state": [1]}, "epoch": 3}
    torch.save(content, tmp_path / "checkpoint.pth")
    assert list(load_file(to_safetensors(tmp_path / "checkpoint.pth"))) == ["weight"]
