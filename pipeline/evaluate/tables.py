"""Figures by table, model, row and column, one value per seed; mean and spread; the paper's beside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from .paper import ALL, GUIDED, MARGIN, MYVLM, OBJECTS, PAPER, RECALL, SIMPLE

Row = dict[str, list[float]]  # column -> a value per seed

TITLES: dict[str, str] = {
    "1": "Table 1: recall, the name stands in the caption",
    "2": "Table 2: photos that an embedding is learnt from",
    "5": "Table 5: augmentation and regulariser",
    "6": "Table 6: captions against the right ones",
    "7": "Table 7: heads",
    "vqa": "Questions and boxes",
    "time": "Seconds per concept",
}


@dataclass(frozen=True)
class Figure:
    """Mean and spread (standard deviation over seeds), and what the paper has."""

    values: tuple[float, ...]
    paper: float | None

    @property
    def mean(self) -> float:
        """Over seeds."""
        return float(np.mean(self.values))

    @property
    def spread(self) -> float:
        """The standard deviation over seeds; 0 for one."""
        return float(np.std(self.values, ddof=1)) if len(self.values) > 1 else 0.0

    def text(self) -> str:
        """Mean ± spread (the paper's)."""
        spread = f" ± {self.spread:.1f}" if len(self.values) > 1 else ""
        return f"{self.mean:.1f}{spread}" + (f" ({self.paper:.1f})" if self.paper is not None else "")


@dataclass
class Tables:
    """Everything measured. Keys are those of `TITLES`; a table that no model belongs to has the model ""."""

    cells: dict[str, dict[str, dict[str, Row]]] = field(default_factory=dict)

    def add(self, table: str, vlm: str, row: str, column: str, value: float) -> None:
        """Add one seed's value."""
        rows = self.cells.setdefault(table, {}).setdefault(vlm, {})
        rows.setdefault(row, {}).setdefault(column, []).append(value)

    def figure(self, table: str, vlm: str, row: str, column: str) -> Figure | None:
        """One cell; None where nothing was measured."""
        values = self.cells.get(table, {}).get(vlm, {}).get(row, {}).get(column)
        if not values:
            return None
        family = vlm.partition("-")[0]
        paper = PAPER.get(table, {}).get(family, {}).get(row, {}).get(column)
        return Figure(tuple(values), paper)

    def blocks(self) -> Iterator[tuple[str, str, list[str], dict[str, dict[str, Figure]]]]:
        """Each table of each model: key, model, columns, rows."""
        for table in TITLES:
            for vlm, unordered in self.cells.get(table, {}).items():
                rows = _by_number(unordered) if table == "2" else unordered
                columns = list(dict.fromkeys(column for row in rows.values() for column in row))
                found = {
                    row: {
                        column: figure
                        for column in columns
                        if (figure := self.figure(table, vlm, row, column))
                    }
                    for row in rows
                }
                yield table, vlm, columns, found

    def bars(self) -> list[dict[str, Any]]:
        """What should hold of each model, and whether it does."""
        made = []
        for vlm in self.cells.get("1", {}):
            mine = self.figure("1", vlm, MYVLM, OBJECTS)
            for other in (SIMPLE, GUIDED):
                theirs = self.figure("1", vlm, other, OBJECTS)
                if mine and theirs:
                    made.append(_bar(vlm, f"{MYVLM} over {other}, objects", mine.mean - theirs.mean, MARGIN))
            everything = self.figure("1", vlm, MYVLM, ALL)
            if everything and everything.paper is not None:
                made.append(_bar(vlm, "recall, as the paper's", everything.mean, everything.paper))
        for vlm, rows in self.cells.get("2", {}).items():
            made += list(self._never_hurts(vlm, list(_by_number(rows))))
        return made

    def _never_hurts(self, vlm: str, counts: list[str]) -> Iterator[dict[str, Any]]:
        """More photos may cost no more recall than the spread over seeds."""
        for fewer, more in pairwise(counts):
            before, after = (self.figure("2", vlm, count, RECALL) for count in (fewer, more))
            if before and after:
                floor = -max(before.spread, after.spread)
                yield _bar(vlm, f"recall, {more} photos over {fewer}", after.mean - before.mean, floor)

    def record(self) -> dict[str, Any]:
        """For `--json`."""
        tables: dict[str, Any] = {}
        for table, vlm, _, rows in self.blocks():
            tables.setdefault(table, {})[vlm] = {
                row: {
                    column: {
                        "mean": round(figure.mean, 3),
                        "spread": round(figure.spread, 3),
                        "values": [round(value, 3) for value in figure.values],
                        "paper": figure.paper,
                    }
                    for column, figure in cells.items()
                }
                for row, cells in rows.items()
            }
        return {"tables": tables, "bars": self.bars()}


def _by_number(rows: Mapping[str, Row]) -> dict[str, Row]:
    """Rows named by numbers of photos, fewest first: concepts that have fewer photos come in later."""
    return dict(sorted(rows.items(), key=lambda item: int(item[0])))


def _bar(vlm: str, name: str, value: float, bar: float) -> dict[str, Any]:
    return {"vlm": vlm, "name": name, "value": round(value, 2), "bar": round(bar, 2), "met": value >= bar}


def text_table(columns: list[str], rows: Mapping[str, Mapping[str, Figure]]) -> list[str]:
    """Aligned lines; what wasn't measured is a dash."""
    cells = [["", *columns]]
    cells += [[row, *(own[c].text() if c in own else "-" for c in columns)] for row, own in rows.items()]
    wide = [max(len(line[at]) for line in cells) for at in range(len(columns) + 1)]
    return [
        "  ".join(cell.ljust(size) for cell, size in zip(line, wide, strict=True)).rstrip() for line in cells
    ]
