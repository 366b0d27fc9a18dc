"""How an evaluation is shown: lines for the terminal, and a folder with report.md, report.json and plots."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from ..home import disk_error
from .paper import GUIDED, MYVLM, RECALL, SIMPLE
from .run import Evaluation
from .tables import TITLES, Figure, text_table

REPORT, FIGURES = "report.md", "report.json"

_PAPER = "Mean ± standard deviation over seeds, in per cent; in brackets the paper's figure."
_NOTES = {
    "1": "Every validation photo shows the concept. MyVLM says a name only where the head fires. The language"
    " model that replaces is the one inside the same model, asked without a photo; a pocket one knows no"
    " instructions.",
    "2": "The head is the same throughout. Similarities are cosines of the pack's own CLIP.",
    "5": "One person and one object of each seed. Which step's vector is kept is decided on augmented photos"
    " in every row.",
    "6": "Names give way to the category. METEOR goes without WordNet; chrF stands in for SPICE.",
    "vqa": "With the concept's vector and name. Boxes: intersection over union of at least 0.5.",
}
_COLORS = {SIMPLE: "#b0b0b8", GUIDED: "#7d8597", MYVLM: "#1f77a8"}


def lines(done: Evaluation) -> list[str]:
    """For the terminal."""
    return [f"{_what(done)}.", _PAPER, *_recipes(done), *_tables(done, "", ""), *_bars(done)]


def _what(done: Evaluation) -> str:
    return (
        f"{done.concepts} concepts of {len(done.datasets)} seeds, {done.photos} photos to judge by,"
        f" {done.sizes.training} to learn from; models {done.models}; {done.seconds:.0f} s"
    )


def _recipes(done: Evaluation) -> Iterator[str]:
    """How each model learnt: the paper's recipe is for other models."""
    for vlm, recipe in done.recipes.items():
        yield (
            f"{vlm} learnt in {recipe.steps} steps at rate {recipe.rate:g}, attention weight"
            f" {recipe.attention:g}, start: {recipe.start}."
        )


def _tables(done: Evaluation, heading: str, fence: str) -> Iterator[str]:
    for table, vlm, columns, rows in done.tables.blocks():
        yield ""
        yield heading + TITLES[table] + (f", {vlm}" if vlm else "")
        if table in _NOTES and heading:
            yield from ("", _NOTES[table], "")
        yield from _markdown(columns, rows) if fence else text_table(columns, rows)


def _markdown(columns: list[str], rows: Mapping[str, Mapping[str, Figure]]) -> Iterator[str]:
    yield f"| | {' | '.join(columns)} |"
    yield "|---|" + "---|" * len(columns)
    for row, cells in rows.items():
        shown = (cells[column].text() if column in cells else "-" for column in columns)
        yield f"| {row} | {' | '.join(shown)} |"


def _bars(done: Evaluation) -> Iterator[str]:
    bars = done.tables.bars()
    if bars:
        yield ""
    for bar in bars:
        state = "met" if bar["met"] else "MISSED"
        yield f"{bar['vlm']}: {bar['name']}: {bar['value']:.1f}, at least {bar['bar']:.1f}: {state}"


def write_report(done: Evaluation, out: Path) -> Path:
    """Write everything below `out`; returns the page. Raises DiskFull or HomeUnusable."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        pictures = [plot.name for plot in _plots(done, out)]
        page = [
            "# Evaluation", "", " ".join([f"{_what(done)}.", _PAPER, *_recipes(done)]), "",
            *(f"![]({name})" for name in pictures), *_tables(done, "## ", "|"), "", "## Bars", "",
            *(f"- {bar}" for bar in _bars(done) if bar),
        ]  # fmt: skip
        (out / FIGURES).write_text(json.dumps(done.record(), indent=1), "utf-8")
        (out / REPORT).write_text("\n".join(page) + "\n", "utf-8")
    except OSError as error:
        raise disk_error(error, out, "name another folder: --out FOLDER") from error
    return out / REPORT


def _plots(done: Evaluation, out: Path) -> Iterator[Path]:
    """Recall by method, by number of photos, and by what is left out; a file per table and model."""
    for table, vlm, columns, rows in done.tables.blocks():
        path = out / f"table-{table}-{vlm}.png"
        if table == "1":
            _draw_bars(path, f"Recall, {vlm}", columns, rows)
        elif table in ("2", "5"):
            _draw_bars(path, f"{TITLES[table]}, {vlm}", [RECALL], rows)
        else:
            continue
        yield path


def _draw_bars(
    path: Path, title: str, columns: Iterable[str], rows: Mapping[str, Mapping[str, Figure]]
) -> None:
    """Groups of bars with the spread over seeds; a line where the paper's figure is."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Sheet

    groups = list(columns)
    sheet = Sheet(figsize=(7.2, 3.6), dpi=120, layout="constrained")
    axes = sheet.subplots()
    width = 0.8 / len(rows)
    for number, (row, cells) in enumerate(rows.items()):
        for group, column in enumerate(groups):
            if column not in cells:
                continue
            at, figure = group + (number - (len(rows) - 1) / 2) * width, cells[column]
            color = _COLORS.get(row, f"C{number}")
            label = row if group == 0 else None
            axes.bar(at, figure.mean, 0.9 * width, yerr=figure.spread, color=color, label=label, capsize=3)
            if figure.paper is not None:
                axes.hlines(
                    figure.paper, at - width / 2, at + width / 2, colors="#1d1d1f", linestyles="dotted"
                )
    axes.set_xticks(range(len(groups)), groups)
    axes.set(title=f"{title} (dotted: the paper)", ylim=(0, 105), ylabel="per cent")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, ncols=len(rows), loc="lower center", bbox_to_anchor=(0.5, -0.28), fontsize=8)
    FigureCanvasAgg(sheet).print_png(path)
