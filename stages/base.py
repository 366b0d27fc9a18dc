"""What every stage is: columns in, columns out, resources, and three verbs.

`check_chain` compares what stages declare before anything runs. How stages are scheduled (Ray, actors, nodes)
is the pipeline's business and not known here.
"""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import ClassVar

import pyarrow as pa

from ..schemas.tables import FAILURE


class Stage(ABC):
    """One step of a pipeline over Arrow tables.

    A stage is made on the driver, shipped to workers (so what `__init__` keeps must be small and picklable)
    and used through three verbs: `prepare_node` once per machine, `setup` once per actor, then `stage(table)`
    per batch. Every call returns exactly the rows it was given, in order, with the columns of `gives` added.
    """

    name: ClassVar[str]
    needs: ClassVar[pa.Schema]
    """Columns that must be in the table, with their types."""
    gives: ClassVar[pa.Schema]
    """Columns that the stage adds."""
    drops: ClassVar[tuple[str, ...]] = ()
    """Columns that no later stage may count on, because the stage takes them out."""
    cpus: ClassVar[float] = 1.0
    gpus: ClassVar[float] = 0.0
    """Share of a GPU to ask for where the cluster has one; every stage also works without."""
    batch_size: ClassVar[int] = 32

    @property
    def memory(self) -> int:
        """Bytes of main memory that its model takes where there is no GPU; 0 where that is little."""
        return 0

    @property
    def made_by(self) -> str:
        """What the rows of this stage come from: another value means that they have to be made again."""
        return self.name

    @property
    def tried_by(self) -> str:
        """What decides whether a photo fails here: with another value a failure is worth another try."""
        return self.made_by

    def prepare_node(self) -> None:  # noqa: B027, most stages have nothing to prepare
        """Check or make ready what all actors on one machine share; raises a named error."""

    def setup(self) -> None:  # noqa: B027, not every stage has a model
        """Load models; called once in the process that will call the stage."""

    @abstractmethod
    def __call__(self, table: pa.Table) -> pa.Table:
        """Return `table` with the columns of `gives` added, row for row."""


def with_failures(table: pa.Table, stage: str, reasons: Mapping[int, str]) -> pa.Table:
    """Note in the column `failure` which rows `stage` could not do (row number -> plain words)."""
    if not reasons:
        return table
    failures = table["failure"].to_pylist()
    for row, reason in reasons.items():
        failures[row] = {"stage": stage, "kind": "error", "reason": reason}
    at = table.column_names.index("failure")
    return table.set_column(at, table.schema.field(at), pa.array(failures, FAILURE))


def check_chain(stages: Sequence[Stage | type[Stage]], first_schema: pa.Schema) -> list[str]:
    """Every reason why `stages` cannot run in this order on tables of `first_schema`; empty if they can."""
    problems = [
        f"stage name {name!r} is used {count} times"
        for name, count in Counter(stage.name for stage in stages).items()
        if count > 1
    ]
    columns = {field.name: field.type for field in first_schema}
    for stage in stages:
        problems += [f"stage {stage.name}: {problem}" for problem in _check_stage(stage, columns)]
        columns.update({field.name: field.type for field in stage.gives})
        for name in stage.drops:
            columns.pop(name, None)
    return problems


def _check_stage(stage: Stage | type[Stage], columns: dict[str, pa.DataType]) -> list[str]:
    problems = []
    for field in stage.needs:
        if field.name not in columns:
            problems.append(f"needs column {field.name!r} ({field.type}), which no earlier stage gives")
        elif columns[field.name] != field.type:
            problems.append(f"needs column {field.name!r} as {field.type}, but it is {columns[field.name]}")
    doubled = [field.name for field in stage.gives if field.name in columns]
    problems += [f"gives column {name!r}, which is already there" for name in doubled]
    if stage.batch_size < 1:
        problems.append(f"batch size must be at least 1, not {stage.batch_size}")
    if stage.cpus < 0 or stage.gpus < 0:
        problems.append(f"resources cannot be negative (cpus {stage.cpus}, gpus {stage.gpus})")
    return problems
