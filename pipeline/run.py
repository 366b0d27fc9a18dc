"""`run`: scan, then features, heads and tell, then the index.

Each step asks the catalog what is missing and commits what it finds; their order is all there is to know.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ..schemas.errors import Interrupted, LibraryMissing, MyvlmTagError, NotVisible
from ..schemas.ids import new_ulid
from ..schemas.paths import from_text, to_text
from ..schemas.settings import Settings
from ..schemas.tables import FAILURES, FILES
from ..stages.base import Stage
from ..stages.scan import identify, photo_id, walk
from . import index, plan, rows, tell
from .catalog import Catalog
from .cluster import Resources, ray_session
from .concepts import Concepts
from .heads import score_library
from .home import check_apart, command_line, ensure_home, locked
from .kept import refresh
from .models import Models, load_models
from .progress import Progress, Step
from .stream import Stream
from .summary import Summary
from .tell import Telling
from .views import connect, write_database
from .writer import Writer

#: What a photo can meet that the next scan will see better: no row in failures.
_PASSING = ("changed", "missing")


def run(
    roots: Sequence[Path], settings: Settings, progress: Progress, only: str = "", concept: str = ""
) -> Summary:
    """Bring the catalog up to date with the photos under `roots`.

    `only` is one of plan.PIPELINES, if not all are wanted; with `concept`, heads and tell do that one alone.
    Raises named errors (schemas/errors.py); whatever was committed until then stays.
    """
    plan.check_pipeline(only)
    check_apart(settings.home, roots)
    ensure_home(settings.home)
    concept = concept and Concepts(settings.home).find(concept).name
    with locked(settings.home, command_line()), _terminable() as stop:
        catalog = Catalog(settings.catalog)
        catalog.prepare()
        names = [to_text(os.path.abspath(root)) for root in roots]
        started = time.monotonic()
        summary = Summary(new_ulid(after=plan.latest_run(catalog)), names, settings.models)
        try:
            with ExitStack() as ray:
                _Run(catalog, settings, progress, summary, stop, ray).all(only, concept)
            summary.ended = "complete"
        except (KeyboardInterrupt, RuntimeError) as error:
            if isinstance(error, RuntimeError) and not stop.is_set():  # DuckDB's own word for Ctrl-C
                raise
            raise Interrupted(
                f"interrupted; {summary.done + summary.told:,} photos finished in this run are kept",
                "run again to go on",
            ) from None
        except MyvlmTagError as error:
            summary.ended = str(error)
            raise
        finally:
            summary.seconds = round(time.monotonic() - started, 3)
            summary.write(settings.home)
        return summary


def compact(settings: Settings) -> int:
    """Merge all segments into one; return how many there were."""
    with connect(Catalog(settings.catalog)):
        pass  # there is one, and it can be read
    with locked(settings.home, command_line()):
        catalog = Catalog(settings.catalog)
        catalog.prepare()
        return catalog.compact()


@dataclass
class _Run:
    """The steps of one run over one catalog."""

    catalog: Catalog
    settings: Settings
    progress: Progress
    summary: Summary
    stop: threading.Event
    ray: ExitStack  # what ends with the run
    _resources: Resources | None = None

    def all(self, only: str, concept: str) -> None:
        models = load_models(self.settings)
        if only in ("", "features"):
            self.scan()
            self.features(models)
        if only in ("", "heads"):
            self.summary.hits = score_library(
                self.catalog, self.settings, self.summary.run_id, self.progress, concept
            )
        if only in ("", "tell"):
            self.tell(models, concept)
        if self.summary.todo or not (self.catalog.folder / "index").exists():
            index.update(self.catalog, models.wanted, self.progress)
        write_database(self.catalog)
        refresh(self.catalog)

    @property
    def resources(self) -> Resources:
        """What workers can have. Ray starts when this is first asked for, and ends with the run."""
        if self._resources is None:
            self._resources = self.ray.enter_context(ray_session(self.settings))
        return self._resources

    def scan(self) -> None:
        """Commit which files are new, changed and gone; hashes are kept as they come."""
        known = plan.known_files(self.catalog)
        folders = pc.is_null(known["size"])
        roots = [from_text(root) for root in self.summary.roots]
        found = walk(roots, known.filter(pc.invert(folders)), self.settings.home)
        summary = self.summary
        summary.new, summary.changed, summary.gone = found.new, found.changed, found.gone
        summary.files = found.unchanged + found.new + found.changed
        writer = Writer(self.catalog, self.settings)
        listed, failures = _unlistable(known.filter(folders), found.failures, summary.roots)
        self._add_scanned(
            writer,
            pa.Table.from_pylist([*found.rows, *listed], _without_run(FILES)),
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
        self.summary.count_failures(failures)
        tables = {"files": files, "failures": failures}
        writer.add({name: _with_run(rows, self.summary.run_id) for name, rows in tables.items()}, 0)

    def features(self, models: Models) -> None:
        """Run decode, faces and CLIP over the photos that lack any of them."""
        todo = plan.missing(self.catalog, models.wanted, self.summary.roots)
        self.summary.todo = todo.num_rows
        if not todo.num_rows:
            return
        with self.progress.step("features", todo.num_rows) as step:
            for names in todo["stages"].unique().to_pylist():
                lacking = names.split("+")
                stages = models.stages_for(lacking)
                part = todo.filter(pc.equal(todo["stages"], names))

                def to_tables(batch: pa.Table, lacking: list[str] = lacking) -> dict[str, pa.Table]:
                    return rows.to_tables(batch, lacking, models.wanted, self.summary.run_id)

                for photos, tables in self._stream(step, part, stages, plan.WORKER, to_tables):
                    self.summary.done += photos - tables["failures"].num_rows
                    self.summary.faces += tables["faces"].num_rows if "faces" in tables else 0

    def tell(self, models: Models, concept: str) -> None:
        """Let the vision-language models speak of the photos in which concepts were found, one by one."""
        for telling in tell.prepare(self.settings, models, self.progress.say):
            todo = tell.missing(self.catalog, telling, self.summary.roots, concept)
            self.summary.to_tell += todo.num_rows
            if todo.num_rows:
                self._tell(telling, todo)

    def _tell(self, telling: Telling, todo: pa.Table) -> None:
        vlm = telling.tell.model.key

        def to_tables(batch: pa.Table) -> dict[str, pa.Table]:
            return tell.to_tables(batch, telling, self.summary.run_id)

        with self.progress.step("tell", todo.num_rows) as step:
            for _, tables in self._stream(step, todo, telling.stages, telling.tell.name, to_tables):
                told = tables["captions"].num_rows
                self.summary.told += told
                self.summary.told_by[vlm] = self.summary.told_by.get(vlm, 0) + told
                self.summary.answers += tables["answers"].num_rows
                self.summary.boxes += pc.sum(pc.is_valid(tables["boxes"]["x0"])).as_py() or 0

    def _stream(
        self,
        step: Step,
        todo: pa.Table,
        stages: Sequence[Stage],
        blame: str,
        to_tables: Callable[[pa.Table], dict[str, pa.Table]],
    ) -> Iterator[tuple[int, dict[str, pa.Table]]]:
        """Run `stages` over `todo`; yield each batch's count and tables once the writer has them."""
        started = time.monotonic()
        writer = Writer(self.catalog, self.settings)
        stream = Stream(stages, self.summary.roots, self.settings, self.resources, blame)
        try:
            for batch in stream.run(todo):
                if not self.summary.seconds_until_first:
                    self.summary.seconds_until_first = round(time.monotonic() - started, 3)
                kept = self._without_passing(batch)
                tables = to_tables(kept)
                writer.add(tables, kept.num_rows)
                self.summary.count_failures(tables["failures"])
                self.summary.count_work(batch, stages)
                yield kept.num_rows, tables
                step.advance(batch.num_rows, self.summary.shares())
                if self.stop.is_set():
                    raise KeyboardInterrupt
        finally:
            writer.commit()

    def _without_passing(self, batch: pa.Table) -> pa.Table:
        """Leave out photos that went or changed since the scan.

        Raises LibraryMissing if the whole library went, NotVisible if another node can't see a photo that can
        be read here. What this machine's own worker couldn't read is the file's fault, or a passing one.
        """
        kinds = pc.fill_null(pc.struct_field(batch["failure"], "kind"), "")
        unseen = batch.filter(pc.is_in(kinds, pa.array(["missing", "unreadable"])))
        if unseen.num_rows:
            self._check_roots()
        for row in unseen.filter(pc.not_equal(unseen["node"], socket.gethostname())).to_pylist():
            if _reads(row["path"]) == row["photo_id"]:
                cause = f"node {row['node']} can't see {row['path']}, which is there"
                raise NotVisible(cause, "mount the library on every node")
        return batch.filter(pc.invert(pc.is_in(kinds, pa.array(_PASSING))))

    def _check_roots(self) -> None:
        for root in self.summary.roots:
            if not os.path.isdir(from_text(root)):
                raise LibraryMissing(
                    f"the library {root} went away during the run", "mount it and run again; nothing is lost"
                )


def _reads(path: str) -> str:
    """The identity of the file as this machine reads it, all of it; '' if it can't: disks fail in places."""
    try:
        return photo_id(from_text(path))
    except OSError:
        return ""


def _unlistable(
    known: pa.Table, failures: Sequence[dict[str, Any]], roots: Sequence[str]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Folders that can't be listed have rows in `files` too: said once, taken back when they can be."""
    before = set(known.filter(pc.invert(known["gone"]))["path"].to_pylist())
    now = {failure["path"]: failure for failure in failures}
    mended = [path for path in before if path not in now and path.startswith(tuple(plan.inside(roots)))]
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
