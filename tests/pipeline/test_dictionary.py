"""The data dictionary says what the views and macros have today."""

from __future__ import annotations

from myvlm_tag.pipeline.dictionary import dictionary

from ..conftest import ROOT


def test_the_page_in_docs_is_current() -> None:
    assert (ROOT / "docs" / "tables.md").read_text("utf-8") == dictionary(), (
        "write it anew: python -m myvlm_tag.pipeline.dictionary > docs/tables.md"
    )


def test_every_column_is_told() -> None:
    assert [
        line for line in dictionary().splitlines() if line.startswith("| ") and line.endswith("|  |")
    ] == []
