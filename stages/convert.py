"""A model as its authors publish it -> what is loaded here: safetensors, in one piece.

Files get the names that transformers looks for. An original is deleted only after all that takes its place
was written whole and opens. Not here: reading checkpoints (`checkpoints.py`), fetching them (`fetch.py`), and
how the parts of MiniGPT-v2 fit together (`vlm/minigpt_v2_published.py`).
"""

from __future__ import annotations

import fnmatch
import json
import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ..schemas.errors import DiskFull, ModelMissing
from ..schemas.paths import to_text
from .checkpoints import read_tensors

if TYPE_CHECKING:
    from torch import Tensor

_MINIGPT = "minigptv2_checkpoint.safetensors"  # published in parts
_TENSORS = {".bin", ".pth", ".pt"}
# What transformers' Trainer keeps beside a model, to go on from.
_TRAINERS = ("training_args.bin", "optimizer.*", "scheduler.*", "scaler.*", "rng_state*")
# transformers' own names: whole, or one shard of several; a variant ("fp16") may stand between.
_WHOLE = re.compile(r"pytorch_model(\.\w+)?\.bin")
_SHARD = re.compile(r"pytorch_model(\.\w+)?-(\d+)-of-(\d+)\.bin")

Say = Callable[[str], None]


def is_trainers(file: Path) -> bool:
    """Whether a checkpoint is no model, but what somebody's training goes on from."""
    return file.suffix in _TENSORS and any(fnmatch.fnmatch(file.name, pattern) for pattern in _TRAINERS)


def checkpoints(folder: Path) -> Iterator[Path]:
    """The checkpoints of a model that are no safetensors yet, in order."""
    for path in sorted(folder.rglob("*")):
        if path.suffix in _TENSORS and path.is_file() and not is_trainers(path):
            yield path


def convert(folder: Path, say: Say = lambda line: None) -> None:
    """Turn a model's checkpoints into safetensors, and MiniGPT-v2's parts into one model.

    Nothing happens to a model that is so already. Raises ModelDamaged, or ModelMissing if a part of it is.
    """
    sharded = defaultdict(list)
    for checkpoint in checkpoints(folder):
        if (there := _there(checkpoint)) is not None:
            say(f"{there.name} is there already; {checkpoint.name} is left alone")
        elif shard := _SHARD.fullmatch(checkpoint.name):
            sharded[checkpoint.parent, shard[1] or "", shard[3]].append(checkpoint)
        else:
            say(f"converting {checkpoint.name} to safetensors")
            to_safetensors(checkpoint, say)
    for (place, variant, count), shards in sharded.items():
        _check_complete(place, variant, count)
        say(f"converting {len(shards)} files like {shards[0].name} to safetensors")
        _convert_shards(shards, _index_of(place, variant), say)
        (place / f"pytorch_model.bin.index{variant}.json").unlink(missing_ok=True)
    if any(folder.glob(_MINIGPT)):
        from .vlm.minigpt_v2_published import assemble

        say("putting the parts of MiniGPT-v2 together")
        assemble(folder)


def to_safetensors(checkpoint: Path, say: Say = lambda line: None) -> Path:
    """Replace a PyTorch checkpoint by a safetensors file of the same tensors.

    Raises ModelDamaged if it can't be read, or holds other things than tensors.
    """
    target = _target(checkpoint)
    _write(read_tensors(checkpoint, say), target)
    checkpoint.unlink()
    return target


def _target(checkpoint: Path) -> Path:
    """Where a checkpoint's tensors go: `model.safetensors` for a name of transformers', else its own stem."""
    name = checkpoint.with_suffix(".safetensors").name
    if _WHOLE.fullmatch(checkpoint.name) or _SHARD.fullmatch(checkpoint.name):
        name = name.removeprefix("pytorch_")
    return checkpoint.with_name(name)


def _index_of(place: Path, variant: str) -> Path:
    return place / f"model.safetensors.index{variant}.json"


def _there(checkpoint: Path) -> Path | None:
    """What already stands where the checkpoint's result would, or what transformers takes in its place."""
    found = _WHOLE.fullmatch(checkpoint.name) or _SHARD.fullmatch(checkpoint.name)
    if found is None:
        return target if _opens(target := _target(checkpoint)) else None
    variant = found[1] or ""
    whole, index = checkpoint.with_name(f"model{variant}.safetensors"), _index_of(checkpoint.parent, variant)
    return whole if _opens(whole) else index if index.is_file() else None


def _opens(file: Path) -> bool:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(file), "np") as tensors:
            return bool(tensors.keys())
    except (OSError, SafetensorError):
        return False


def _check_complete(place: Path, variant: str, count: str) -> None:
    wanted = (
        f"pytorch_model{variant}-{number:0{len(count)}}-of-{count}.bin" for number in range(1, int(count) + 1)
    )
    if missing := [name for name in wanted if not (place / name).is_file()]:
        raise ModelMissing(
            f"the model in {to_text(place)} lacks {', '.join(missing)}",
            "put it there, or get a pack's with: myvlm-tag models pull PACK",
        )


def _convert_shards(shards: list[Path], index: Path, say: Say) -> None:
    """All of a model's shards, one in memory at a time, and then the index that makes one model of them."""
    places: dict[str, str] = {}
    total = 0
    for shard in shards:
        tensors = read_tensors(shard, say)
        _write(tensors, _target(shard))
        places |= dict.fromkeys(tensors, _target(shard).name)
        total += sum(tensor.nbytes for tensor in tensors.values())
    temporary = index.with_name(f".{index.name}.part")
    content = {"metadata": {"total_size": total}, "weight_map": places}
    temporary.write_text(json.dumps(content, indent=1), "utf-8")
    temporary.replace(index)
    for shard in shards:
        shard.unlink()


def _write(tensors: dict[str, Tensor], target: Path) -> None:
    """Write a file that bears its name only when it is whole on the disk, and opens."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    temporary = target.with_name(f".{target.name}.part")
    try:
        save_file(tensors, temporary, {"format": "pt"})
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        if not _opens(temporary):
            raise SafetensorError("it does not open")
        temporary.replace(target)
    except SafetensorError as error:
        cause = f"{to_text(target)} could not be written whole: {error}"
        raise DiskFull(cause, "make room there, and do the same again") from error
    finally:
        temporary.unlink(missing_ok=True)
