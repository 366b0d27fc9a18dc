"""The files of a model on disk: their fingerprint, whether they are sound, and fetching them.

`pull` is the only place of the whole program that uses the network. Which models exist is `packs.py`;
getting a source is `fetch.py`, making safetensors of checkpoints `convert.py`.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blake3 import blake3

from ..schemas.errors import DiskFull, ModelDamaged, ModelMissing
from ..schemas.paths import to_text
from .convert import checkpoints, convert, is_trainers
from .fetch import fetch
from .packs import Model, Pack, folder_of, missing_files

RECORD = "pulled.json"  # what `pull` fetched: file -> size and hash
_BOOKKEEPING = ".cache"  # huggingface_hub's, and which sources are there; gone when a pull ends
_NOT_THE_MODEL = {".md", ".txt", ".png", ".jpg"}  # cards and pictures, unless a tokenizer reads them
_TOKENIZER_TEXT = {"merges.txt", "vocab.txt"}


@dataclass(frozen=True)
class Verdict:
    """What `verify` says about one model."""

    model: Model
    folder: Path
    present: bool
    megabytes: float  # on disk
    problem: str = ""  # empty: sound


def fingerprint(folder: Path, cache: Path | None = None) -> str:
    """16 hex digits that change when any file which decides the model's output does.

    `cache` is a JSON file that remembers hashes by size and modification time, so that large weights are read
    once; it may be missing, and may be deleted.
    """
    known = _load_cache(cache)
    digest = blake3()
    changed = False
    for file in _model_files(folder):
        status = file.stat()
        state = [status.st_size, status.st_mtime_ns]
        entry = known.get(str(file))
        if entry is None or entry[:2] != state:
            entry = [*state, _hash(file)]
            known[str(file)] = entry
            changed = True
        digest.update(f"{file.relative_to(folder).as_posix()}\0{entry[2]}\n".encode())
    if changed and cache is not None:
        _save_cache(cache, known)
    return digest.hexdigest(length=8)


def verify(pack: Pack, home: Path) -> list[Verdict]:
    """Look at every model of a pack: is it there, are its files whole, are they what was pulled?"""
    return [_verify(model, folder_of(model, home)) for model in pack.models]


def pull(
    pack: Pack,
    home: Path,
    agree: Callable[[Model], bool],
    say: Callable[[str], None] = lambda line: None,
) -> list[Path]:
    """Fetch the models of `pack` that are not there, each after `agree` (shown licence and size) said yes.

    Raises ModelMissing when a source cannot be reached, DiskFull when there is no room. What was fetched
    stays, and a second pull goes on from there, within a file too. Raises ModelDamaged when a source is not
    what it should be; a second pull fetches that model anew.
    """
    folders = []
    for model in pack.models:
        folder = folder_of(model, home)
        if not model.sources or not missing_files(model, folder):
            say(f"{model.key}: already there")
        elif agree(model):
            _check_room(model, folder)
            folders.append(_pull(model, folder, pack.name, say))
    return folders


def _model_files(folder: Path) -> Iterator[Path]:
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        inner = file.relative_to(folder)
        if any(part.startswith((".", "__")) for part in inner.parts) or file.name == RECORD:
            continue
        if is_trainers(file):
            continue
        if file.suffix.lower() not in _NOT_THE_MODEL or file.name in _TOKENIZER_TEXT:
            yield file


def _hash(file: Path) -> str:
    return blake3(max_threads=blake3.AUTO).update_mmap(file).hexdigest(length=16)


def _load_cache(cache: Path | None) -> dict[str, Any]:
    try:
        return dict(json.loads(cache.read_text("utf-8"))) if cache else {}
    except (OSError, ValueError):
        return {}


def _save_cache(cache: Path, known: dict[str, Any]) -> None:
    """Write, or not: a home that cannot be written to only costs time."""
    temporary = cache.with_suffix(f".{os.getpid()}.tmp")
    with contextlib.suppress(OSError):
        cache.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps(known, indent=1), "utf-8")
        temporary.replace(cache)


def _verify(model: Model, folder: Path) -> Verdict:
    present = folder.is_dir() and not missing_files(model, folder)
    size = sum(file.stat().st_size for file in _model_files(folder)) / 1e6 if folder.is_dir() else 0.0
    if not present:
        missing = missing_files(model, folder) if folder.is_dir() else ["its folder"]
        return Verdict(model, folder, False, size, f"{', '.join(missing)} missing")
    problems = [problem for file in _model_files(folder) if (problem := _check_file(file))]
    problems += _differences(folder)
    return Verdict(model, folder, True, size, "; ".join(problems))


def _check_file(file: Path) -> str:
    """Why a model file is not whole; empty if nothing is wrong with it."""
    try:
        if file.suffix == ".safetensors":
            from safetensors import safe_open

            with safe_open(str(file), "np") as tensors:
                tensors.keys()
        elif file.suffix == ".onnx":
            import onnx

            onnx.checker.check_model(str(file))
        elif file.suffix == ".json":
            json.loads(file.read_text("utf-8"))
    except Exception as error:  # each library has its own kinds
        words = str(error).strip().splitlines() or [type(error).__name__]
        return f"{file.name} is damaged ({words[0][:120]})"
    return ""


def _differences(folder: Path) -> list[str]:
    """Files that are no longer what `pull` fetched."""
    try:
        record = json.loads((folder / RECORD).read_text("utf-8"))["files"]
    except (OSError, ValueError, KeyError):
        return []
    return [
        f"{name} is not what was pulled"
        for name, digest in record.items()
        if not (folder / name).is_file() or _hash(folder / name) != digest
    ]


def _check_room(model: Model, folder: Path) -> None:
    existing = next(path for path in folder.parents if path.exists())
    there = sum(file.stat().st_size for file in _staging(folder).rglob("*") if file.is_file())
    free = (shutil.disk_usage(existing).free + there) / 1e6
    # A checkpoint that is converted is there twice for a while.
    if free < 2.1 * model.megabytes:
        raise DiskFull(
            f"{model.key} needs {2.1 * model.megabytes:,.0f} MB in {to_text(folder.parent)}",
            f"{free:,.0f} MB are free",
        )


def _staging(folder: Path) -> Path:
    """Where a model is fetched to, and a pull that broke off left what it had."""
    return folder.with_name(f".{folder.name}.part")


def _pull(model: Model, folder: Path, pack: str, say: Callable[[str], None]) -> Path:
    staging = _staging(folder)
    staging.mkdir(parents=True, exist_ok=True)
    try:
        revisions = _fetch_all(model, staging, say)
        _make_loadable(model, staging, lambda line: say(f"{model.key}: {line}"))
    except OSError as error:
        raise ModelMissing(
            f"{model.key} could not be fetched: {error}", f"go on later with: myvlm-tag models pull {pack}"
        ) from error
    hashes = {file.relative_to(staging).as_posix(): _hash(file) for file in _model_files(staging)}
    record = {"revisions": revisions, "licence": model.licence, "files": hashes}
    (staging / RECORD).write_text(json.dumps(record, indent=1), "utf-8")
    shutil.rmtree(staging / _BOOKKEEPING, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)
    staging.replace(folder)
    return folder


def _fetch_all(model: Model, staging: Path, say: Callable[[str], None]) -> dict[str, str]:
    """Fetch the sources that no earlier pull got to the end of; returns the revision of each."""
    done = staging / _BOOKKEEPING / RECORD
    revisions: dict[str, str] = _load_cache(done)
    for source in model.sources:
        if source.where not in revisions:
            say(f"{model.key}: fetching {source.where}")
            revisions[source.where] = fetch(source, staging)
            _save_cache(done, revisions)
    return revisions


def _make_loadable(model: Model, staging: Path, say: Callable[[str], None]) -> None:
    try:
        convert(staging, say)
        if missing := missing_files(model, staging):
            cause = f"the source of {model.key} gave no {', '.join(missing)}"
            raise ModelDamaged(cause, "report this, please")
    except (ModelDamaged, ModelMissing):
        shutil.rmtree(staging, ignore_errors=True)  # the next pull must not take this for good
        raise
    for leftover in checkpoints(staging):  # of a pull that ended between writing a result and deleting this
        leftover.unlink()
