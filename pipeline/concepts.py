"""The concepts of a home: kept, listed, shown, renamed, forgotten.

A concept is a folder of JSON, safetensors and copies of its photos (`schemas/concept.py`). A new version is
written beside the old one and takes its place by renaming, so that a reader finds one or the other. How a
concept is learnt is `learn.py`; what else there is of it, and changes with it, `concept_rows.py`.
"""

from __future__ import annotations

import dataclasses
import fcntl
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from ..schemas.concept import HEAD, RECORD, REPORT, Concept, clean_name, embedding_file, folder_of, from_json
from ..schemas.errors import ConceptDamaged, ConceptMissing, UsageProblem
from ..schemas.ids import new_ulid
from ..schemas.paths import to_text
from ..stages.heads.linear import LinearHead
from ..stages.heads.person import PersonHead
from .home import disk_error
from .views import Answer

Head: TypeAlias = PersonHead | LinearHead

_OLD, _NEW, _GONE, _LOCK = ".old-", ".new-", ".gone-", ".lock"


@dataclass(frozen=True)
class Kept:
    """A concept with what its files hold."""

    concept: Concept
    head: Head
    vectors: Mapping[str, NDArray[np.float32]]  # by vision-language model, norm 1


class Concepts:
    """The folder `<home>/concepts`."""

    def __init__(self, home: Path) -> None:
        """Open; nothing is read or written yet."""
        self.root = home / "concepts"

    def path(self, name: str) -> Path:
        """Return the folder of the concept of that name."""
        return self.root / folder_of(name)

    def all(self) -> list[Concept]:
        """Return every concept, by name. Raises ConceptDamaged."""
        self._mend()
        folders = [path for path in self.root.iterdir() if path.name[0] != "."] if self.root.is_dir() else []
        return sorted((_record(folder) for folder in folders), key=lambda concept: concept.name.casefold())

    def find(self, name: str) -> Concept:
        """Return one concept. Raises ConceptMissing, ConceptDamaged."""
        concept = self.get(name)
        if concept is None:
            known = ", ".join(concept.name for concept in self.all())
            raise ConceptMissing(
                f"there is no concept {clean_name(name)!r}",
                f"known are: {known}" if known else "teach one with: myvlm-tag learn",
            )
        return concept

    def get(self, name: str) -> Concept | None:
        """Return one concept, if there is one of that name. Raises ConceptDamaged."""
        self._mend()
        folder = self.path(name)
        return _record(folder) if folder.is_dir() else None

    def load(self, name: str) -> Kept:
        """Return a concept with its head and vectors. Raises ConceptMissing, ConceptDamaged."""
        concept, folder = self.find(name), self.path(name)
        try:
            head = load_file(folder / HEAD)
            vectors = {vlm: load_file(folder / embedding_file(vlm))["vector"] for vlm in concept.embeddings}
            return Kept(concept, _head(concept, head), vectors)
        except (OSError, KeyError, SafetensorError) as error:
            raise ConceptDamaged(
                f"the concept {concept.name!r} can't be read from {to_text(folder)}: {error}",
                "learn it again",
            ) from error

    def save(self, kept: Kept, photos: Mapping[str, bytes], report: bytes) -> Path:
        """Write a concept, or its new version; `photos` are the files below `photos/`, `report` is a PNG.

        Raises DiskFull or HomeUnusable; what was there before is then still there.
        """
        folder = self.path(kept.concept.name)
        staged = self.root / f"{_NEW}{new_ulid()}"
        try:
            (staged / "photos").mkdir(parents=True)
            (staged / RECORD).write_text(kept.concept.to_json(), "utf-8")
            (staged / REPORT).write_bytes(report)
            for name, data in photos.items():
                (staged / "photos" / name).write_bytes(data)
            save_file(_arrays(kept.head), staged / HEAD)
            for vlm, vector in kept.vectors.items():
                save_file({"vector": np.ascontiguousarray(vector)}, staged / embedding_file(vlm))
            with self._locked():
                _replace(staged, folder)
        except OSError as error:
            shutil.rmtree(staged, ignore_errors=True)
            raise disk_error(error, folder) from error
        return folder

    def save_head(self, concept: Concept, head: Head) -> None:
        """Put a new head, and what `concept` says of it, in the place of the old; the rest stays.

        Raises DiskFull or HomeUnusable; what was there before is then still there.
        """
        folder = self.path(concept.name)
        staged = self.root / f"{_NEW}{new_ulid()}"
        try:
            shutil.copytree(folder, staged)
            (staged / RECORD).write_text(concept.to_json(), "utf-8")
            save_file(_arrays(head), staged / HEAD)
            with self._locked():
                _replace(staged, folder)
        except OSError as error:
            shutil.rmtree(staged, ignore_errors=True)
            raise disk_error(error, folder) from error

    def renamed(self, name: str, to: str) -> Concept:
        """Return a concept as it would be by another name; identifier and version stay.

        Raises ConceptMissing, UsageProblem if the name is taken.
        """
        concept = self.find(name)
        if folder_of(to) != folder_of(name) and self.path(to).exists():
            raise UsageProblem(f"there is a concept {clean_name(to)!r} already", "forget it first")
        return dataclasses.replace(concept, name=clean_name(to))

    def rename(self, name: str, to: str) -> Concept:
        """Give a concept another name. Raises as `renamed`; cut short, it can be done again."""
        renamed, folder = self.renamed(name, to), self.path(name)
        try:
            with self._locked():
                staged = folder / f".{RECORD}"
                staged.write_text(renamed.to_json(), "utf-8")
                staged.replace(folder / RECORD)
                folder.rename(self.path(to))
        except OSError as error:
            raise disk_error(error, folder) from error
        return renamed

    def forget(self, name: str) -> Concept:
        """Remove a concept: head, embeddings, copies of photos, report, and what killed learnings left of it.

        Raises ConceptMissing, DiskFull, HomeUnusable.
        """
        concept = self.find(name)
        try:
            with self._locked():
                for folder in (*self._unfinished(concept), self.path(name)):
                    gone = self.root / f"{_GONE}{new_ulid()}"
                    folder.rename(gone)  # out of the readers' sight first
                    shutil.rmtree(gone)
        except OSError as error:
            raise disk_error(error, self.root) from error
        return concept

    def _unfinished(self, concept: Concept) -> Iterator[Path]:
        for staged in self.root.glob(f"{_NEW}*"):
            with suppress(ConceptDamaged):
                if _record(staged).folder == concept.folder:
                    yield staged

    def identifiers(self, but: str = "") -> list[str]:
        """Return the identifiers in use, except that of the concept named `but`."""
        folder = folder_of(but) if but else ""
        return [concept.identifier for concept in self.all() if concept.folder != folder]

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Let one process at a time change which folders there are."""
        with (self.root / _LOCK).open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def _mend(self) -> None:
        """End what was cut short: bring back a concept that was being replaced, remove one that was to go."""
        if any(path.name.startswith((_OLD, _GONE)) for path in self.root.glob(".*")):
            with self._locked():
                for gone in self.root.glob(f"{_GONE}*"):
                    shutil.rmtree(gone)
                for old in self.root.glob(f"{_OLD}*"):
                    folder = self.root / old.name.removeprefix(_OLD)
                    if folder.exists():
                        shutil.rmtree(old)
                    else:
                        old.rename(folder)


def _replace(staged: Path, folder: Path) -> None:
    old = folder.with_name(f"{_OLD}{folder.name}")
    if folder.exists():
        folder.rename(old)
    staged.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def list_concepts(home: Path) -> Answer:
    """Return one row per concept."""
    columns = ["name", "kind", "class", "identifier", "version", "photos", "found", "rejected", "created"]
    rows = [
        (
            concept.name,
            concept.kind,
            concept.class_word,
            concept.identifier,
            concept.version,
            len(concept.photos),
            f"{concept.check.found}/{concept.check.photos}",
            f"{concept.check.rejected}/{concept.check.negatives}",
            concept.created,
        )
        for concept in Concepts(home).all()
    ]
    return Answer(columns, rows)


def describe(concept: Concept) -> list[str]:
    """Say what was learnt and how sure it is, in a few lines for the person."""
    head, check = concept.head, concept.check
    named = f"{concept.name}: {concept.class_word or concept.kind}, version {concept.version}"
    lines = [f"{named}, from {len(concept.photos)} photos; {concept.why}"]
    if check.photos:
        left_out = f"{check.found} of {check.photos} photos found by a head made from the others"
        lines.append(f"recognised: {left_out}{_rejected(concept)}; head made in {head.seconds:.1f} s")
    else:
        lines.append(f"recognised: by one photo, so nothing could be left out{_rejected(concept)}")
    for vlm, info in concept.embeddings.items():
        share = f"{info.named:.0%} of the held-out pictures are told with its name, unasked"
        spent = ", ".join(f"{part} {seconds:.1f} s" for part, seconds in info.seconds.items())
        loss = (
            f"loss {info.held_out[0][1]:.2f} to {dict(info.held_out)[info.kept_step]:.2f}; "
            if info.held_out
            else ""
        )
        lines.append(f"told by {vlm} as {concept.identifier!r}: {share}; {loss}{spent}")
    return lines


def _rejected(concept: Concept) -> str:
    check = concept.check
    others = "other faces" if concept.kind == "person" else "others like it"
    return f", {check.rejected} of {check.negatives} {others} rejected" if check.negatives else ""


def _record(folder: Path) -> Concept:
    path = folder / RECORD
    try:
        return from_json(path.read_text("utf-8"), to_text(path))
    except (OSError, UnicodeDecodeError) as error:
        raise ConceptDamaged(f"{to_text(path)} can't be read: {error}", "learn the concept again") from error


def _arrays(head: Head) -> dict[str, NDArray[np.float32]]:
    if isinstance(head, PersonHead):
        return {"embeddings": np.ascontiguousarray(head.embeddings)}
    arrays = {"weight": np.ascontiguousarray(head.weight), "bias": np.array([head.bias], np.float32)}
    known = {"own": head.own, "given": head.given}
    return arrays | {name: np.ascontiguousarray(rows) for name, rows in known.items() if len(rows)}


def _head(concept: Concept, arrays: Mapping[str, NDArray[np.float32]]) -> Head:
    if concept.kind == "person":
        return PersonHead(arrays["embeddings"], concept.head.threshold)
    head = LinearHead(arrays["weight"], float(arrays["bias"][0]), concept.head.threshold)
    return dataclasses.replace(head, **{name: arrays[name] for name in ("own", "given") if name in arrays})
