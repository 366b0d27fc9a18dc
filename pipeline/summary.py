"""What one run did, in words, as JSON, and as the file kept in `runs/`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from ..schemas.concept import Concept
from ..schemas.errors import OK, SOME_PHOTOS_FAILED
from ..stages.base import Stage
from ..stages.vlm.words import swap
from .chain import SECONDS
from .home import disk_error
from .progress import duration

_NO_ERROR = ("complete", "interrupted")


@dataclass
class Summary:
    """What one run did; `runs/<run_id>.json` and `--json` hold exactly this."""

    run_id: str
    roots: list[str]
    models: str
    files: int = 0  # there now
    new: int = 0
    changed: int = 0
    gone: int = 0
    ignored: int = 0  # files that are no photos and don't claim to be
    todo: int = 0  # photos that lacked features
    done: int = 0
    failed: int = 0  # photos and files that failed in this run
    failures: dict[str, int] = field(default_factory=dict)  # by kind
    faces: int = 0
    hits: dict[str, int] = field(default_factory=dict)  # photos newly found to show a concept, by name
    to_tell: int = 0  # photos that lacked what a telling gives; once for each model that is to tell
    told: int = 0
    told_by: dict[str, int] = field(default_factory=dict)  # by vision-language model
    answers: int = 0
    boxes: int = 0
    seconds: float = 0.0
    seconds_until_first: float = 0.0  # starting workers and loading models
    stage_seconds: dict[str, float] = field(default_factory=dict)  # of work, over all workers
    ended: str = "interrupted"  # one of _NO_ERROR, else the error's line

    @property
    def exit_code(self) -> int:
        """0 all done, 3 done but some photos failed."""
        return SOME_PHOTOS_FAILED if self.failed else OK

    def lines(self) -> list[str]:
        """Return the summary in words."""
        lines = [
            f"{self.files:,} files: {self.new:,} new, {self.changed:,} changed, {self.gone:,} gone",
            f"{self.done:,} of {self.todo:,} photos done in {duration(self.seconds)}; {self.faces:,} faces",
        ]
        if self.hits:
            found = ", ".join(f"{name} in {count:,}" for name, count in sorted(self.hits.items()))
            lines.append(f"found {found}")
        if self.to_tell:
            by = ", ".join(f"{count:,} by {vlm}" for vlm, count in self.told_by.items())
            lines.append(
                f"told {self.told:,} of {self.to_tell:,} photos{f' ({by})' if len(self.told_by) > 1 else ''}:"
                f" {self.told:,} captions, {self.answers:,} answers, {self.boxes:,} boxes"
            )
        if self.failed:
            kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(self.failures.items()))
            lines.append(f"{self.failed:,} failed ({kinds}); see: myvlm-tag failures")
        return lines

    def count_failures(self, failures: pa.Table) -> None:
        """Add rows of failures."""
        self.failed += failures.num_rows
        self.failures = dict(Counter(self.failures) + Counter(failures["kind"].to_pylist()))

    def count_work(self, batch: pa.Table, stages: Sequence[Stage]) -> None:
        """Add the seconds that a batch took in each stage."""
        for seconds in batch[SECONDS.name].to_pylist():
            for stage, spent in zip(stages, seconds, strict=True):
                self.stage_seconds[stage.name] = self.stage_seconds.get(stage.name, 0.0) + spent

    def shares(self) -> str:
        """How the time so far is shared among the stages."""
        total = sum(self.stage_seconds.values()) or 1.0
        return ", ".join(f"{name} {spent / total:.0%}" for name, spent in self.stage_seconds.items())

    def write(self, home: Path) -> None:
        """Put it into `home/runs`. Raises DiskFull or HomeUnusable, unless something worse ended the run."""
        folder = home / "runs"
        try:
            folder.mkdir(exist_ok=True)
            _write(folder / f"{self.run_id}.json", asdict(self))
        except OSError as error:
            if self.ended == "complete":
                raise disk_error(error, folder) from error


def rename_found(home: Path, concept: Concept, name: str) -> None:
    """Let the records of all runs call a concept by another name; "" leaves it out. Errors lose its name.

    Raises DiskFull, HomeUnusable.
    """
    unnamed = dict.fromkeys((concept.name, concept.folder), "...")
    for path in sorted((home / "runs").glob("*.json")):
        try:
            record = json.loads(path.read_text("utf-8"))
            named = {(name if found == concept.name else found): n for found, n in record["hits"].items()}
            hits = {found: count for found, count in named.items() if found}
            ended = record["ended"] if record["ended"] in _NO_ERROR else swap(record["ended"], unnamed)
            if (hits, ended) != (record["hits"], record["ended"]):
                _write(path, {**record, "hits": hits, "ended": ended})
        except OSError as error:
            raise disk_error(error, path) from error


def _write(path: Path, record: Mapping[str, Any]) -> None:
    staged = path.with_name(f".{path.stem}")
    staged.write_text(json.dumps(record, indent=1), "utf-8")
    staged.rename(path)
