"""A pipeline on Ray: photos in, what the stages give out, whatever dies on the way.

Photos stream through actors that hold the models. A worker that dies takes its batches with it; those photos
are found missing at the end and done again one at a time, and a photo that ends its worker twice while it is
alone there comes back as a failure. Rows are written by `rows.py`, photos chosen by `plan.py` and `tell.py`.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from ..schemas.errors import ChainBroken, ClusterUnreachable, MyvlmTagError
from ..schemas.settings import Settings
from ..schemas.tables import FAILURE
from ..stages.base import Stage, check_chain
from .chain import NODE, PICTURE, SECONDS, Chain
from .cluster import Resources, named_cause
from .plan import WORKER

if TYPE_CHECKING:
    import ray.data

_STREAMS = 5  # times to go on with what is left after a stream broke off
_TRIES_ALONE = 2
_IN_FLIGHT = 2  # batches per actor: one at work, one waiting


@dataclass(frozen=True)
class Stream:
    """Runs `stages` over tables of photos (TODO, or with more columns).

    `roots` are the folders every node must see; `blame` is the stage that a dead worker counts against.
    """

    stages: Sequence[Stage]
    roots: Sequence[str]
    settings: Settings
    resources: Resources
    blame: str = WORKER

    def run(self, todo: pa.Table) -> Iterator[pa.Table]:
        """Yield every row of `todo` exactly once, in any order, with what the stages gave and SECONDS.

        Raises ChainBroken with all problems of the chain at once, before anything starts.
        """
        problems = check_chain(self.stages, todo.schema)
        if problems:
            raise ChainBroken("; ".join(problems))
        seen: set[str] = set()
        for _ in range(_STREAMS):
            before = len(seen)
            try:
                for block in self._stream(_without(todo, seen)):
                    seen.update(block["photo_id"].to_pylist())
                    yield block
                break
            except ClusterUnreachable:  # a node took finished rows with it
                if len(seen) == before:
                    raise
        lost = _without(todo, seen)
        if lost.num_rows:
            yield from self._one_by_one(lost, workers_can_live=bool(seen))

    def _stream(self, todo: pa.Table) -> Iterator[pa.Table]:
        import ray.data

        dataset = ray.data.from_arrow(self._blocks(todo))
        for stages, last in self._groups():
            dataset = self._add_actors(dataset, stages, last)
        try:
            yield from dataset.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=1)
        except MyvlmTagError:
            raise
        except Exception as error:
            raise named_cause(error) or _lost_cluster(error) from error

    def _add_actors(self, dataset: ray.data.Dataset, stages: list[Stage], last: bool) -> ray.data.Dataset:
        import ray.data

        actors = self.actors(stages)
        joined = (
            self.settings.address and not self.settings.workers
        )  # a cluster may grow beyond what it has now
        with warnings.catch_warnings():
            # Ray warns that 2.64 will want max_task_retries elsewhere; until then there is no other place.
            warnings.simplefilter("ignore", category=DeprecationWarning)
            return dataset.map_batches(
                Chain,
                fn_constructor_args=(stages, list(self.roots), last),
                batch_size=self._batch_size(stages),
                batch_format="pyarrow",
                compute=ray.data.ActorPoolStrategy(
                    min_size=1,
                    initial_size=actors,
                    max_size=None if joined else actors,
                    max_tasks_in_flight_per_actor=_IN_FLIGHT,
                ),
                max_restarts=-1,  # a dead actor comes back; what it had in hand doesn't
                max_task_retries=0,
                **self.demand(stages),
            )

    def _groups(self) -> list[tuple[list[Stage], bool]]:
        """Stages that share a process: all of them, or those with and those without a GPU apart."""
        with_gpu = self.resources.gpus > 0
        groups = [list(group) for _, group in groupby(self.stages, lambda s: with_gpu and s.gpus > 0)]
        return [(group, group is groups[-1]) for group in groups]

    def demand(self, stages: Sequence[Stage]) -> dict[str, float]:
        """What an actor with these stages asks Ray for."""
        cpus = max(stage.cpus for stage in stages)
        if self.resources.gpus and (gpus := min(1.0, sum(stage.gpus for stage in stages))):
            return {"num_cpus": cpus, "num_gpus": gpus}
        memory = sum(stage.memory for stage in stages)
        if memory and self.resources.memory:  # few large models: each gets more of the CPUs
            fit = max(1, self.resources.memory // memory)
            cpus = max(cpus, -(-self.resources.cpus // fit))
        return {"num_cpus": cpus}

    def actors(self, stages: Sequence[Stage]) -> int:
        """How many of them the cluster has room for."""
        demand = self.demand(stages)
        most = int(self.resources.cpus / demand["num_cpus"])
        if "num_gpus" in demand:
            most = int(self.resources.gpus / demand["num_gpus"])
        elif self.resources.gpus:
            most -= 1  # a GPU stage's actor needs a CPU as well
        return max(1, min(most, self.settings.workers or most))

    def _batch_size(self, stages: Sequence[Stage]) -> int:
        return min([self.settings.batch_size, *(stage.batch_size for stage in stages)])

    def _blocks(self, todo: pa.Table) -> list[pa.Table]:
        """Cut `todo` into what is scheduled, and lost, together: one batch, or some if there are many."""
        batch = self._batch_size(self.stages)
        enough = 64 * self.actors(self.stages) * batch
        rows = batch * (4 if todo.num_rows > enough else 1)
        return [todo.slice(start, rows) for start in range(0, todo.num_rows, rows)]

    def _one_by_one(self, lost: pa.Table, workers_can_live: bool) -> Iterator[pa.Table]:
        """Do each photo alone on its worker. Raises ClusterUnreachable if no photo at all survives it."""
        suspects: list[pa.Table] = []
        worker = _Worker(self)
        try:
            for start in range(lost.num_rows):
                photo = lost.slice(start, 1)
                done = worker.try_alone(photo)
                if done is None:
                    suspects.append(photo)
                else:
                    workers_can_live = True
                    yield done
        finally:
            worker.stop()
        if suspects and not workers_can_live:
            raise ClusterUnreachable(
                f"workers die whatever the photo ({len(suspects)} tried, {_TRIES_ALONE} times each)",
                "look for memory and versions with: myvlm-tag doctor",
            )
        for photo in suspects:
            yield self.failed(
                photo, "killed_worker", "it ends the process that reads it (a crash or too little memory)"
            )

    def failed(self, photo: pa.Table, kind: str, reason: str) -> pa.Table:
        """Return `photo` (rows of the table) as the chain would have, all null but for the failure."""
        rows = photo.num_rows
        for stage in self.stages:
            for field in stage.gives:
                if field.name not in (*PICTURE, "failure"):
                    photo = photo.append_column(field, pa.nulls(rows, field.type))
        failure = {"stage": self.blame, "kind": kind, "reason": reason}
        photo = photo.append_column("failure", pa.array([failure] * rows, FAILURE))
        photo = photo.append_column(SECONDS, pa.array([[0.0] * len(self.stages)] * rows, SECONDS.type))
        return photo.append_column(NODE, pa.nulls(rows, NODE.type))


def _without(todo: pa.Table, seen: set[str]) -> pa.Table:
    return todo.filter(pc.invert(pc.is_in(todo["photo_id"], pa.array(list(seen), pa.string()))))


class _Worker:
    """One actor with the whole chain, replaced when it dies."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.actor: Any = None

    def try_alone(self, photo: pa.Table) -> pa.Table | None:
        """Return the photo's row, or None if its worker died `_TRIES_ALONE` times over it."""
        import ray

        for _ in range(_TRIES_ALONE):
            actor = self._alive()
            try:
                return ray.get(actor.__call__.remote(photo))
            except ray.exceptions.RayTaskError as error:
                cause = named_cause(error)
                if cause:
                    raise cause from error
                words = str(error.cause or error).strip().splitlines() or [type(error.cause).__name__]
                return self.stream.failed(photo, "error", f"{type(error.cause).__name__}: {words[-1]}")
            except ray.exceptions.RayError:
                self.actor = None
        return None

    def stop(self) -> None:
        import ray

        if self.actor is not None:
            ray.kill(self.actor)

    def _alive(self) -> Any:
        import ray

        if self.actor is None:
            demand = self.stream.demand(self.stream.stages)
            maker = ray.remote(max_restarts=0, max_task_retries=0, **demand)(Chain)
            self.actor = maker.remote(list(self.stream.stages), list(self.stream.roots))
            try:
                ray.get(self.actor.ready.remote())
            except ray.exceptions.RayError as error:
                raise named_cause(error) or _lost_cluster(error) from error
        return self.actor


def _lost_cluster(error: Exception) -> MyvlmTagError:
    lines = [line for line in str(error).strip().splitlines() if line.strip()] or [type(error).__name__]
    return ClusterUnreachable(
        f"the workers are gone: {lines[-1].strip()}", "run again: what was finished is kept"
    )
