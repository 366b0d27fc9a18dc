"""How results are printed: a table, JSON or CSV on stdout; what is going on, on stderr.

Not here: progress bars (`pipeline/progress.py`), how values look as text (`pipeline/show.py`).
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..pipeline.views import Answer


def say(line: str) -> None:
    """Tell the person a line of what is going on."""
    print(line, file=sys.stderr)


def print_record(record: dict[str, Any], as_json: bool, lines: Callable[[], list[str]]) -> None:
    """Print one record, as JSON or as its lines."""
    print(json.dumps(record, indent=1, default=str, ensure_ascii=False) if as_json else "\n".join(lines()))


def print_answer(answer: Answer, as_json: bool, as_csv: bool = False) -> None:
    """Print the rows of an answer, as a table, JSON or CSV."""
    from ..pipeline.show import as_records, as_text, table_lines

    if as_json:
        print(json.dumps(as_records(answer), indent=1, ensure_ascii=False))
    elif as_csv:
        writer = csv.writer(sys.stdout)
        writer.writerow(answer.columns)
        writer.writerows(as_text(row) for row in answer.rows)
    else:
        for line in table_lines(answer):
            print(line)
