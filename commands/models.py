"""`models list|verify|pull|convert` and `doctor`: the commands about what has to be installed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..schemas.errors import FAILED, OK
from ..schemas.private import allow_fetching
from .options import Home, Json, ModelsOption, Verbose, settings_from
from .printing import print_answer, print_record, say

Only = Annotated[
    str, typer.Option(help="These models alone, as buffalo_l,llava; `models list` has their names.")
]

app = typer.Typer(help="List, check and fetch model packs.", no_args_is_help=True, rich_markup_mode=None)


def doctor(
    home: Home = None, models: ModelsOption = None, as_json: Json = False, verbose: Verbose = False
) -> None:
    """Check versions, devices, memory, weights, disk and permissions."""
    from ..pipeline.status import doctor as examine

    facts, problems = examine(settings_from(home=home, models=models))
    width = max(map(len, facts))
    lines = [f"{name:<{width}}  {value}" for name, value in facts.items()]
    print_record(
        {**facts, "problems": problems},
        as_json,
        lambda: [*lines, *(f"problem: {problem}" for problem in problems or ["none found"])],
    )
    raise typer.Exit(FAILED if problems else OK)


@app.command("list")
def models_list(home: Home = None, as_json: Json = False, verbose: Verbose = False) -> None:
    """Show the model packs: what is in them, licence, size, and what is on this disk."""
    from ..pipeline.models import list_models

    print_answer(list_models(settings_from(home=home)), as_json)


@app.command("verify")
def models_verify(
    pack: Annotated[str | None, typer.Argument(help="A pack's name or folder.")] = None,
    only: Only = "",
    home: Home = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Check that a pack's files are there and whole."""
    from ..pipeline.models import verify_models

    answer, sound = verify_models(settings_from(home=home, models=pack), only)
    print_answer(answer, as_json)
    raise typer.Exit(OK if sound else FAILED)


@app.command("pull")
def models_pull(
    pack: Annotated[str, typer.Argument(help="A pack's name.")],
    only: Only = "",
    home: Home = None,
    yes: Annotated[bool, typer.Option("--yes", help="Agree to every licence without being asked.")] = False,
    verbose: Verbose = False,
) -> None:
    """Download a pack, after showing licence and size. The only command that uses the network."""
    allow_fetching()  # before what follows is imported
    from ..pipeline.models import pull_models

    def agree(line: str) -> bool:
        say(line)
        return yes or typer.confirm("download it under this licence?", err=True)

    for folder in pull_models(settings_from(home=home, models=pack), agree, say, only):
        print(folder)


@app.command("convert")
def models_convert(
    folder: Annotated[Path, typer.Argument(help="A model's folder.", exists=True, file_okay=False)],
    verbose: Verbose = False,
) -> None:
    """Convert a model got by other ways than `pull`: checkpoints, or MiniGPT-v2's parts, to safetensors."""
    from ..stages.convert import convert

    convert(folder, say)
    print(folder)
