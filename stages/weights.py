"""The files of a model on disk: their fingerprint, whether they are sound, and fetching them.

`pull` is the only place of the whole program that uses the network. Which models exist is `packs.py`.
"""

from __future__ import annotations

import contextlib
import fnmatch
import json
import os
import shutil
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from blake3 import blake3

from ..schemas.errors import DiskFull, ModelDamaged, ModelMissing
from .packs import Model, Pack, Source, folder_of, missing_files

RECORD = "pulled.json"  # what `pull` fetched: file -> size and hash
_TENSORS = {".bin", ".pth", ".pt"}
_MINIGPT = "minigptv2_checkpoint.safetensors"  # published in parts
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
    stays, and a second pull goes on from there.
    """
    folders = []
    for model in pack.models:
        folder = folder_of(model, home)
        if not model.sources or not missing_files(model, folder):
            say(f"{model.key}: already there")
        elif agree(model):
            _check_room(model, home)
            folders.append(_pull(model, folder, say))
    return folders


def _model_files(folder: Path) -> Iterator[Path]:
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        inner = file.relative_to(folder)
        if any(part.startswith((".", "__")) for part in inner.parts) or file.name == RECORD:
            continue
        if file.suffix.lower() not in _NOT_THE_MODEL or file.name in _TOKENIZER_TEXT:
            yield file


def _hash(file: Path) -> str:
    return blake3(max_threads=blake3.AUTO).update_mmap(file).hexdigest(length=16)


def _load_cache(cache: Path | None) -> dict[str, list]:
    try:
        return dict(json.loads(cache.read_text("utf-8"))) if cache else {}
    except (OSError, ValueError):
        return {}


def _save_cache(cache: Path, known: dict[str, list]) -> None:
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


def _check_room(model: Model, home: Path) -> None:
    existing = next(path for path in (home, *home.parents) if path.exists())
    free = shutil.disk_usage(existing).free / 1e6
    # A checkpoint that is converted is there twice for a while.
    if free < 2.1 * model.megabytes:
        raise DiskFull(
            f"{model.key} needs {2.1 * model.megabytes:,.0f} MB in {home}", f"{free:,.0f} MB are free"
        )


def _pull(model: Model, folder: Path, say: Callable[[str], None]) -> Path:
    staging = folder.with_name(f".{folder.name}.part")
    staging.mkdir(parents=True, exist_ok=True)
    revisions = {}
    try:
        for source in model.sources:
            say(f"{model.key}: fetching {source.where}")
            revisions[source.where] = _fetch(source, staging)
        convert(staging, lambda line: say(f"{model.key}: {line}"))
    except OSError as error:
        raise ModelMissing(f"{model.key} could not be fetched: {error}", "try again later") from error
    missing = missing_files(model, staging)
    if missing:
        raise ModelDamaged(f"the source of {model.key} gave no {', '.join(missing)}", "report this, please")
    shutil.rmtree(staging / ".cache", ignore_errors=True)  # huggingface_hub's bookkeeping
    hashes = {file.relative_to(staging).as_posix(): _hash(file) for file in _model_files(staging)}
    record = {"revisions": revisions, "licence": model.licence, "files": hashes}
    (staging / RECORD).write_text(json.dumps(record, indent=1), "utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    staging.replace(folder)
    return folder


def _fetch(source: Source, folder: Path) -> str:
    """Fetch into `folder`; returns the revision it was."""
    scheme, _, where = source.where.partition(":")
    if scheme in ("hf", "hf-space"):
        return _fetch_repository(source, where, "model" if scheme == "hf" else "space", folder)
    archive = folder / source.where.rpartition("/")[2]
    with urllib.request.urlopen(source.where) as answer, archive.open("wb") as file:
        shutil.copyfileobj(answer, file, 1 << 20)
    if archive.suffix == ".zip":
        _unpack(archive, source.files, folder)
        archive.unlink()
    return source.revision


def _fetch_repository(source: Source, repository: str, kind: str, folder: Path) -> str:
    import huggingface_hub

    try:
        huggingface_hub.snapshot_download(
            repository,
            repo_type=kind,
            revision=source.revision,
            local_dir=folder,
            allow_patterns=list(source.files),
        )
        return str(
            huggingface_hub.HfApi().repo_info(repository, repo_type=kind, revision=source.revision).sha
        )
    except huggingface_hub.errors.GatedRepoError as error:
        raise ModelMissing(
            f"{repository} is handed out on request only", f"ask at https://huggingface.co/{repository}"
        ) from error
    except huggingface_hub.errors.HfHubHTTPError as error:
        words = str(error).strip().splitlines() or [type(error).__name__]
        raise ModelMissing(f"{repository} could not be fetched: {words[0]}", "try again later") from error


def _unpack(archive: Path, patterns: tuple[str, ...], folder: Path) -> None:
    """Take the named files out of a zip archive, without the folders they lie in."""
    with zipfile.ZipFile(archive) as packed:
        for member in packed.namelist():
            name = member.rpartition("/")[2]
            if any(fnmatch.fnmatch(name, pattern) for pattern in patterns):
                with packed.open(member) as inner, (folder / name).open("wb") as file:
                    shutil.copyfileobj(inner, file, 1 << 20)


def convert(folder: Path, say: Callable[[str], None] = lambda line: None) -> None:
    """Turn a model as its authors publish it into what is loaded here: safetensors, in one piece.

    Nothing happens to a model that is so already. Raises ModelDamaged, or ModelMissing if a part of it is.
    """
    for checkpoint in sorted(path for path in folder.rglob("*") if path.suffix in _TENSORS):
        say(f"converting {checkpoint.name} to safetensors")
        to_safetensors(checkpoint)
    if any(folder.glob(_MINIGPT)):
        from .vlm.minigpt_v2_published import assemble

        say("putting the parts of MiniGPT-v2 together")
        assemble(folder)


def to_safetensors(checkpoint: Path) -> Path:
    """Replace a PyTorch checkpoint by a safetensors file of the same tensors.

    torch's restricted reader is used, which builds tensors and nothing else. Raises ModelDamaged if the file
    holds other things.
    """
    import torch
    from safetensors.torch import save_file

    try:
        loaded = torch.load(checkpoint, map_location="cpu", weights_only=True)
    except Exception as error:  # unpickling errors of several kinds
        raise ModelDamaged(f"{checkpoint.name} holds more than tensors", "it is not opened") from error
    for name in ("state_dict", "model"):
        loaded = loaded.get(name, loaded) if isinstance(loaded, dict) else loaded
    tensors = {name: tensor.contiguous().clone() for name, tensor in loaded.items()}
    target = checkpoint.with_suffix(".safetensors")
    save_file(tensors, target)
    checkpoint.unlink()
    return target
