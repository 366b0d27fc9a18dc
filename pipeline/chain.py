"""Several stages run as one inside a worker process, so that no picture crosses from process to process."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Sequence

import pyarrow as pa

from ..schemas.errors import MyvlmTagError, NotVisible
from ..schemas.paths import from_text
from ..schemas.private import keep_private
from ..stages.base import Stage

#: Bulky columns that end with the chain.
PICTURE = ("image", "image_width", "image_height", "image_scale")

#: Seconds each stage of the chain took for a row, in the chain's order.
SECONDS = pa.field("seconds", pa.list_(pa.float32()))

#: The machine that did a row.
NODE = pa.field("node", pa.string())


class Chain:
    """What Ray Data makes one actor of: stages set up once, then called batch by batch.

    `roots` are folders (text form) that this node must be able to see; `last` ends the way of the pictures.
    """

    def __init__(self, stages: Sequence[Stage], roots: Sequence[str], last: bool = True) -> None:
        """Check the node, load the models. A named error waits for the first call: Ray flattens it here."""
        keep_private()
        self.stages = stages
        self.last = last
        self.problem: MyvlmTagError | None = None
        try:
            for root in roots:
                _check_visible(root)
            for stage in stages:
                stage.prepare_node()
                stage.setup()
        except MyvlmTagError as problem:
            self.problem = problem

    def __call__(self, table: pa.Table) -> pa.Table:
        """Run every stage; add what they took to `seconds`. Raises what setting up met."""
        self.ready()
        spent = []
        for stage in self.stages:
            started = time.perf_counter()
            table = stage(table)
            spent.append((time.perf_counter() - started) / max(1, table.num_rows))
        if SECONDS.name in table.column_names:
            spent = [*table[SECONDS.name][0].as_py(), *spent] if table.num_rows else spent
            table = table.drop_columns(SECONDS.name)
        table = table.append_column(SECONDS, pa.array([spent] * table.num_rows, SECONDS.type))
        if not self.last:
            return table
        table = table.append_column(NODE, pa.array([socket.gethostname()] * table.num_rows, NODE.type))
        return table.drop_columns([name for name in PICTURE if name in table.column_names])

    def ready(self) -> None:
        """Raise NotVisible, naming node and folder, or the named error of a stage, if setting up failed."""
        if self.problem:
            raise self.problem


def _check_visible(root: str) -> None:
    try:
        with os.scandir(from_text(root)):
            return
    except OSError as error:
        raise NotVisible(
            f"node {socket.gethostname()} can't see the photos in {root}: {error.strerror}",
            "every node needs the library under the same path (a shared mount)",
        ) from error
