"""Rows of an answer as people and programs want to see them: a table, text cells, JSON values."""

from __future__ import annotations

import datetime
import math
from typing import Any

from .views import Answer

_WIDEST = 60  # characters of a cell in a table


def as_records(answer: Answer) -> list[dict[str, Any]]:
    """Return one dict per row, of values JSON has: bytes as hex, times in ISO form, no NaN."""
    return [{name: _json(value) for name, value in record.items()} for record in answer.records()]


def as_text(row: tuple[Any, ...]) -> list[str]:
    """Return a row's cells for CSV: nothing shortened, NULL as the empty string."""
    return ["" if value is None else _text(value) for value in row]


def table_lines(answer: Answer) -> list[str]:
    """Return an aligned table: header, rule, rows (long cells shortened), and how many rows there were."""
    cells = [[_short("NULL" if value is None else _text(value)) for value in row] for row in answer.rows]
    widths = [max(map(len, column)) for column in zip(answer.columns, *cells, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in [answer.columns, ["-" * width for width in widths], *cells]
    ]
    return [*lines, f"({len(answer.rows):,} row{'' if len(answer.rows) == 1 else 's'})"]


def _json(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list | tuple):
        return [_json(item) for item in value]
    if isinstance(value, dict):
        return {str(name): _json(item) for name, item in value.items()}
    return value if value is None or isinstance(value, bool | int | str) else _text(value)


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat()
    return str(value)


def _short(text: str) -> str:
    flat = " ".join(text.split("\n"))
    return flat if len(flat) <= _WIDEST else flat[: _WIDEST - 1] + "…"
