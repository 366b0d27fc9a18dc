"""`sample` and `demo`: the commands that draw on the sample world."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import Json, Verbose
from .printing import print_record


def sample(
    out: Annotated[Path, typer.Argument(help="Folder to write; it is made.")],
    photos: Annotated[int, typer.Option(help="How many photos.")] = 200,
    seed: Annotated[int, typer.Option(help="Another seed, other people and photos.")] = 1,
    hostile: Annotated[bool, typer.Option("--hostile", help="Add files that break photo software.")] = False,
    verbose: Verbose = False,
) -> None:
    """Write a rendered sample library with its truth, to try everything on."""
    from ..pipeline.progress import Progress
    from ..world.sample import write_sample

    with Progress().step("sample", photos) as step:
        write_sample(out, photos, seed, hostile, lambda done, total: step.move_to(done, total))
    print(out / "library")


def demo(
    out: Annotated[Path, typer.Option(help="Folder to write into; it is made.")] = Path("demo"),
    photos: Annotated[int, typer.Option(help="How many photos.")] = 48,
    seed: Annotated[int, typer.Option(help="Another seed, other people and photos.")] = 7,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Render a sample library, learn its concepts, find them, ask, and show how right it was."""
    from ..pipeline.progress import Progress
    from ..world.demo import run_demo

    seen = run_demo(out, photos, seed, Progress())
    print_record(seen.record(), as_json, seen.lines)


def render_concepts(out: Path, seed: int, concepts: int, photos: int) -> Path:
    """Render folders of concepts for `evaluate`; no command of its own."""
    from ..world.measure.concepts import write_concepts

    return write_concepts(out, seed, concepts, photos)
