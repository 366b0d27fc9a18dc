"""`run`, `status`, `failures`, `sql`, `compact`: the commands about a library and its catalog."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from .options import Home, Json, ModelsOption, Verbose, settings_from
from .printing import print_answer, print_record


def run(
    library: Annotated[list[Path], typer.Argument(help="Folders of photos.")],
    home: Home = None,
    models: ModelsOption = None,
    only: Annotated[str, typer.Option(help="One pipeline alone: features, heads or tell.")] = "",
    concept: Annotated[str, typer.Option(help="Find and tell this concept alone.")] = "",
    vlm: Annotated[
        str | None, typer.Option(help="The models that tell, as blip2,llava (default: the pack's first).")
    ] = None,
    boxes: Annotated[
        str | None, typer.Option(help="Which of them says where things are (default: the pack's choice).")
    ] = None,
    people: Annotated[str | None, typer.Option(help="How to ask about people: plain, place or crop.")] = None,
    temperature: Annotated[
        float | None, typer.Option(help="How freely words are drawn (default 0: the likeliest).")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and why.")] = False,
    address: Annotated[
        str | None, typer.Option(help="A Ray cluster to run on (default: this machine).")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Worker processes (default: one per CPU).")] = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Bring the catalog up to date with the photos in LIBRARY: features, heads, tell."""
    settings = settings_from(
        home=home,
        models=models,
        vlm=vlm,
        boxes=boxes,
        people=people,
        temperature=temperature,
        address=address,
        workers=workers,
        verbose=verbose or None,
    )
    if dry_run:
        from ..pipeline import outlook

        ahead = outlook.outlook(library, settings, only, concept)
        print_record(ahead, as_json, lambda: outlook.lines(ahead))
        return
    from ..pipeline.progress import Progress
    from ..pipeline.run import run as run_pipelines

    summary = run_pipelines(library, settings, Progress(), only, concept)
    print_record(asdict(summary), as_json, summary.lines)
    raise typer.Exit(summary.exit_code)


def status(
    library: Annotated[
        list[Path] | None, typer.Argument(help="Folders of photos (default: all known).")
    ] = None,
    home: Home = None,
    models: ModelsOption = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Show what is in the catalog, and what a run would do."""
    from ..pipeline import status as report

    found = report.status(library or [], settings_from(home=home, models=models))
    print_record(found, as_json, lambda: report.status_lines(found))


def failures(home: Home = None, as_json: Json = False, verbose: Verbose = False) -> None:
    """List the files that could not be done, and why."""
    from ..pipeline import status as report

    answer = report.failures(settings_from(home=home))
    if as_json:
        print_answer(answer, as_json=True)
    else:
        for path, stage, kind, reason, _ in answer.rows:
            print(f"{path}: {reason} ({stage}: {kind})")


def sql(
    query: Annotated[
        str, typer.Argument(help="One SELECT over photos, sightings, captions, ... (docs/tables.md).")
    ],
    home: Home = None,
    as_json: Json = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print results as CSV.")] = False,
    verbose: Verbose = False,
) -> None:
    """Ask the catalog in SQL. Nothing can be changed, and nothing but the catalog can be read."""
    from ..pipeline.catalog import Catalog
    from ..pipeline.views import Bounds
    from ..pipeline.views import query as ask

    settings = settings_from(home=home)
    bounds = Bounds.of(settings)
    print_answer(ask(Catalog(settings.catalog), query, bounds), as_json, as_csv)


def compact(home: Home = None, as_json: Json = False, verbose: Verbose = False) -> None:
    """Merge the catalog's segments into one, so that queries open fewer files."""
    from ..pipeline.run import compact as compact_catalog

    merged = compact_catalog(settings_from(home=home))
    print_record(
        {"merged": merged}, as_json, lambda: [f"merged {merged} segments" if merged else "nothing to merge"]
    )
