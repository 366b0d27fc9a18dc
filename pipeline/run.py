"""`run`: scan, plan, pipelines, index, summary. So far there are features and heads; tell joins them here.

Each step asks the catalog what is missing and commits what it finds; their order is all there is to know.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ..schemas.errors import OK, SOME_PHOTOS_FAILED, Interrupted, LibraryMissing, MyvlmTagError, NotVisible
from ..schemas.ids import new_ulid
from ..schemas.paths import from_text, to_text
from ..schemas.settings import Settings
from ..schemas.tables import FAILURES, FILES
from ..stages.base import Stage
from ..stages.scan import identify, walk
from . import index, plan
from .catalog import Catalog
from .chain import SECONDS
from .cluster import ray_session
from .features import Features
from .heads import score_library
from .home import command_line, disk_error, ensure_home, locked
from .models import Models, load_models
from .plan import Wanted
from .progress import Progress, duration
from .rows import to_tables
from .views import connect, write_database
from .writer import Writer

#: What a photo can meet that the next scan will see better: no row in failures.
_PASSING = ("changed", "missing")


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
    todo: int = 0  # photos that lacked something
    done: int = 0
    failed: int = 0  # photos and files that failed in this run
    failures: dict[str, int] = field(default_factory=dict)  # by kind
    faces: int = 0
    hits: dict[str, int] = field(default_factory=dict)  # photos newly found to show a concept, by name
    seconds: float = 0.0
    seconds_until_first: float = 0.0  # starting workers and loading models
    stage_seconds: dict[str, float] = field(default_factory=dict)  # of work, over all workers
    ended: str = "interrupted"  # complete | interrupted | the error's line

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
        if self.failed:
            kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(self.failures.items()))
            lines.append(f"{self.failed:,} failed ({kinds}); see: myvlm-tag failures")
        return lines


def run(roots: Sequence[Path], settings: Settings, progress: Progress) -> Summary:
    """Bring the catalog up to date with the photos under `roots`.

    Raises named errors (schemas/errors.py); whatever was committed until then stays.
    """
    ensure_home(settings.home)
    with locked(settings.home, command_line()), _terminable() as stop:
        catalog = Catalog(settings.catalog)
        catalog.prepare()
        names = [to_text(os.path.abspath(root)) for root in roots]
        started = time.monotonic()
        summary = Summary(new_ulid(after=plan.latest_run(catalog)), names, settings.models)
        try:
            _Run(catalog, settings, progress, summary, stop).all()
            summary.ended = "complete"
        except KeyboardInterrupt:
            raise Interrupted(
                f"interrupted; {summary.done:,} photos finished in this run are kept", "run again to go on"
            ) from None
        except MyvlmTagError as error:
            summary.ended = str(error)
            raise
        finally:
            summary.seconds = round(time.monotonic() - started, 3)
            _record(settings.home, summary)
        return summary


def compact(settings: Settings) -> int:
    """Merge all segments into one; return how many there were."""
    with connect(Catalog(settings.catalog)):
        pass  # there is one, and it can be read
    with locked(settings.home, command_line()):
        catalog = Catalog(settings.catalog)
        catalog.prepare()
        return catalog.compact()


class _Run:
    """The steps of one run over one catalog."""

    def __init__(
        self,
        catalog: Catalog,
        settings: Settings,
        progress: Progress,
        summary: Summary,
        stop: threading.Event,
    ) -> None:
        self.catalog = catalog
        self.settings = settings
        self.progress = progress
        self.summary = summary
        self.stop = stop

    def all(self) -> None:
        models = load_models(self.settings)
        self.scan()
        self.features(models)
        self.summary.hits = score_library(self.catalog, self.settings, self.summary.run_id, self.progress)
        if self.summary.todo or not (self.catalog.folder / "index").exists():
            index.update(self.catalog, models.wanted, self.progress)
        write_database(self.catalog)

    def scan(self) -> None:
        """Commit which files are new, changed and gone; hashes are kept as they come."""
        known = plan.known_files(self.catalog)
        folders = pc.is_null(known["size"])
        found = walk([from_text(root) for root in self.summary.roots], known.filter(pc.invert(folders)))
        summary = self.summary
        summary.new, summary.changed, summary.gone = found.new, found.changed, found.gone
        summary.files = found.unchanged + found.new + found.changed
        writer = Writer(self.catalog, self.settings)
        rows, failures = _unlistable(known.filter(folders), found.failures, summary.roots)
        self._add_scanned(
            writer,
            pa.Table.from_pylist([*found.rows, *rows], _without_run(FILES)),
            pa.Table.from_pylist(failures, _without_run(FAILURES)),
        )
        if found.entries:
            with self.progress.step("scan", len(found.entries), "files") as step:
                for batch in identify(found.entries, self.settings.max_file_bytes):
                    self._add_scanned(writer, batch.files, batch.failures)
                    summary.ignored += batch.ignored
                    step.advance(min(1000, step.total - step.done))
        writer.commit()
        summary.new -= summary.ignored
        summary.files -= summary.ignored

    def _add_scanned(self, writer: Writer, files: pa.Table, failures: pa.Table) -> None:
        self._count_failures(failures)
        tables = {"files": files, "failures": failures}
        writer.add({name: _with_run(rows, self.summary.run_id) for name, rows in tables.items()}, 0)

    def features(self, models: Models) -> None:
        """Run decode, faces and CLIP over the photos that lack any of them."""
        todo = plan.missing(self.catalog, models.wanted, self.summary.roots)
        self.summary.todo = todo.num_rows
        if not todo.num_rows:
            return
        started = time.monotonic()
        with self.progress.step("features", todo.num_rows) as step, ray_session(self.settings) as resources:
            for names in todo["stages"].unique().to_pylist():
                part = todo.filter(pc.equal(todo["stages"], names))
                lacking = names.split("+")
                stages = models.stages_for(lacking)
                writer = Writer(self.catalog, self.settings)
                pipeline = Features(stages, self.summary.roots, self.settings, resources)
                try:
                    for batch in pipeline.run(part):
                        if not self.summary.seconds_until_first:
                            self.summary.seconds_until_first = round(time.monotonic() - started, 3)
                        self._keep(batch, stages, lacking, models.wanted, writer)
                        step.advance(batch.num_rows, self._shares())
                        if self.stop.is_set():
                            raise KeyboardInterrupt
                finally:
                    writer.commit()

    def _keep(
        self, batch: pa.Table, stages: Sequence[Stage], lacking: list[str], wanted: Wanted, writer: Writer
    ) -> None:
        batch = self._without_passing(batch)
        tables = to_tables(batch, lacking, wanted, self.summary.run_id)
        writer.add(tables, batch.num_rows)
        failures = tables["failures"]
        self._count_failures(failures)
        self.summary.done += batch.num_rows - failures.num_rows
        if "faces" in tables:
            self.summary.faces += tables["faces"].num_rows
        for seconds in batch[SECONDS.name].to_pylist():
            for stage, spent in zip(stages, seconds, strict=True):
                before = self.summary.stage_seconds.get(stage.name, 0.0)
                self.summary.stage_seconds[stage.name] = before + spent

    def _without_passing(self, batch: pa.Table) -> pa.Table:
        """Leave out photos that went or changed since the scan.

        Raises LibraryMissing if the whole library went, NotVisible if only the worker can't see a photo.
        """
        kinds = pc.fill_null(pc.struct_field(batch["failure"], "kind"), "")
        unseen = batch.filter(pc.is_in(kinds, pa.array(["missing", "unreadable"])))
        if unseen.num_rows:
            self._check_roots()
        for path, node in zip(unseen["path"].to_pylist(), unseen["node"].to_pylist(), strict=True):
            if os.access(from_text(path), os.R_OK):
                raise NotVisible(
                    f"node {node} can't see {path}, which is there", "mount the library on every node"
                )
        return batch.filter(pc.invert(pc.is_in(kinds, pa.array(_PASSING))))

    def _check_roots(self) -> None:
        for root in self.summary.roots:
            if not os.path.isdir(from_text(root)):
                raise LibraryMissing(
                    f"the library {root} went away during the run", "mount it and run again; nothing is lost"
                )

    def _count_failures(self, failures: pa.Table) -> None:
        self.summary.failed += failures.num_rows
        kinds = Counter(self.summary.failures) + Counter(failures["kind"].to_pylist())
        self.summary.failures = dict(kinds)

    def _shares(self) -> str:
        total = sum(self.summary.stage_seconds.values()) or 1.0
        return ", ".join(f"{name} {spent / total:.0%}" for name, spent in self.summary.stage_seconds.items())


def _unlistable(
    known: pa.Table, failures: Sequence[dict[str, Any]], roots: Sequence[str]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Folders that can't be listed have rows in `files` too: said once, taken back when they can be."""
    before = set(known.filter(pc.invert(known["gone"]))["path"].to_pylist())
    now = {failure["path"]: failure for failure in failures}
    inside = tuple(root.rstrip("/") + "/" for root in roots)
    mended = [path for path in before if path not in now and path.startswith(inside)]
    fresh = [path for path in now if path not in before]
    rows = [{"path": path, "gone": path in mended} for path in (*fresh, *mended)]
    return rows, [dict(now[path]) for path in fresh]


def _without_run(schema: pa.Schema) -> pa.Schema:
    return schema.remove(schema.get_field_index("run_id"))


def _with_run(rows: pa.Table, run_id: str) -> pa.Table:
    return rows.append_column("run_id", pa.array([run_id] * rows.num_rows, pa.string()))


@contextmanager
def _terminable() -> Iterator[threading.Event]:
    """Take SIGTERM (a service manager's stop) like Ctrl-C: finish the commit under way, keep what is done.

    The event stays set: an interrupt that a library's callback swallowed is raised again at the next batch.
    """
    stop = threading.Event()

    def interrupt(*_: object) -> None:
        stop.set()
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _record(home: Path, summary: Summary) -> None:
    folder = home / "runs"
    try:
        folder.mkdir(exist_ok=True)
        staged = folder / f".{summary.run_id}"
        staged.write_text(json.dumps(asdict(summary), indent=1), "utf-8")
        staged.rename(folder / f"{summary.run_id}.json")
    except OSError as error:
        if summary.ended == "complete":
            raise disk_error(error, folder) from error
