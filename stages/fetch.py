"""Fetching one source of a model: a Hugging Face repository, a zip archive or a plain file.

A second try goes on where the first broke off. Which sources a model has is `packs.py`; when they are
fetched, and what becomes of them, is `weights.py`.
"""

from __future__ import annotations

import fnmatch
import http.client
import shutil
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

from ..schemas.errors import ModelDamaged, ModelMissing
from .packs import Source

_LATER = "pull it again later: what is there is kept"
_PATIENCE = 60  # seconds without a byte, after which a server counts as gone
_CHUNK = 1 << 20


def fetch(source: Source, folder: Path) -> str:
    """Fetch into `folder`; returns the revision it was.

    Raises OSError or ModelMissing when it can't be had, ModelDamaged when it is not what it should be.
    """
    scheme, _, where = source.where.partition(":")
    if scheme in ("hf", "hf-space"):
        return _fetch_repository(source, where, "model" if scheme == "hf" else "space", folder)
    archive = folder / source.where.rpartition("/")[2]
    _download(source.where, archive)
    if archive.suffix == ".zip":
        _unpack(archive, source.files, folder)
        archive.unlink()
    return source.revision


def _download(url: str, target: Path) -> None:
    """Fetch a file by way of `.part` beside it, which the next try goes on from.

    It does so only if the server still has the same file, by the mark (ETag or date) that came with the part.
    """
    part, mark = target.with_name(f"{target.name}.part"), target.with_name(f"{target.name}.mark")
    start = part.stat().st_size if part.exists() and mark.exists() else 0
    wanted = {"Range": f"bytes={start}-", "If-Range": mark.read_text("utf-8")} if start else {}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=wanted), timeout=_PATIENCE) as answer:
            goes_on = answer.headers.get("Content-Range", "").startswith(f"bytes {start}-")
            if not goes_on:
                start = 0
                _remember(mark, answer.headers)
            with part.open("ab" if goes_on else "wb") as file:
                shutil.copyfileobj(answer, file, _CHUNK)
        length = answer.headers.get("Content-Length")
    except urllib.error.HTTPError as error:
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and start:
            part.unlink()  # whole already, or longer than what is there now: only a new one is sure
            _download(url, target)
            return
        raise
    except http.client.HTTPException as error:
        raise OSError(f"{url} broke off ({type(error).__name__})") from error
    if length is not None and part.stat().st_size != start + int(length):
        raise OSError(f"{url} broke off at {part.stat().st_size:,} of {start + int(length):,} bytes")
    part.replace(target)
    mark.unlink(missing_ok=True)


def _remember(mark: Path, headers: http.client.HTTPMessage) -> None:
    """Keep what the server will know the file by; without such a thing the next try starts anew."""
    tag = headers.get("ETag", "")
    known = headers.get("Last-Modified", "") if not tag or tag.startswith("W/") else tag
    if known:
        mark.write_text(known, "utf-8")
    else:
        mark.unlink(missing_ok=True)


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
            f"{repository} is handed out on request only",
            f"accept its licence at https://huggingface.co/{repository}, then give your token: hf auth login",
        ) from error
    except huggingface_hub.errors.HfHubHTTPError as error:
        words = str(error).strip().splitlines() or [type(error).__name__]
        raise ModelMissing(f"{repository} could not be fetched: {words[0]}", _LATER) from error


def _unpack(archive: Path, patterns: tuple[str, ...], folder: Path) -> None:
    """Take the named files out of a zip archive, without the folders they lie in."""
    try:
        with zipfile.ZipFile(archive) as packed:
            for member in packed.namelist():
                name = member.rpartition("/")[2]
                if any(fnmatch.fnmatch(name, pattern) for pattern in patterns):
                    with packed.open(member) as inner, (folder / name).open("wb") as file:
                        shutil.copyfileobj(inner, file, _CHUNK)
    except zipfile.BadZipFile as error:
        again = "fetch it again with: myvlm-tag models pull PACK"
        raise ModelDamaged(f"{archive.name} can't be read: {error}", again) from error
