"""Several stages run as one inside a worker process, so that no picture crosses from process to process."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Sequence

import pyarrow as pa

from ..schemas.errors import NotVisible
from ..schemas.paths import from_text
from ..stages.base import Stage
from .cluster import keep_private

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
        """Check the node, load the models. Raises NotVisible, naming node and folder, or a stage's error."""
        keep_private()
        for root in roots:
            _check_visible(root)
        self.stages = stages
        self.last = last
        for stage in stages:
            stage.prepare_node()
            stage.setup()

    def __call__(self, table: pa.Table) -> pa.Table:
        """Run every stage; add what they took to `seconds`."""
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

    def ready(self) -> bool:
        """Return at once; an answer says that setting up worked."""
        return True


def _check_visible(root: str) -> None:
    try:
        with os.scandir(from_text(root)):
            return
    except OSError as error:
        raise NotVisible(
            f"node {socket.gethostname()} can't see the photos in {root}: {error.strerror}",
            "every node needs the library under the same path (a shared mount)",
        ) from error
