"""`confirm`, `reject`, `unknown`, `ignore`: what the person says of photos, and who is to be named next.

What does not live here: how faces are grouped (`pipeline/unknown.py`), how decisions are kept
(`pipeline/decisions.py`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import Home, Json, ModelsOption, Verbose, settings_from
from .printing import print_answer, say

Name = Annotated[str, typer.Argument(help="The concept's name.")]
Photos = Annotated[list[Path], typer.Argument(help="Photos of the library.")]
_THEN = "the next run tells those photos anew"


def confirm(name: Name, photos: Photos, home: Home = None, verbose: Verbose = False) -> None:
    """Say that a concept is in these photos, whatever its head finds."""
    from ..pipeline.decisions import CONFIRM, decide

    count = decide(settings_from(home=home), name, list(map(str, photos)), CONFIRM)
    say(f"{name} is in {count} photos for good; {_THEN}")


def reject(name: Name, photos: Photos, home: Home = None, verbose: Verbose = False) -> None:
    """Say that a concept is not in these photos, whatever its head finds."""
    from ..pipeline.decisions import REJECT, decide

    count = decide(settings_from(home=home), name, list(map(str, photos)), REJECT)
    say(f"{name} isn't in {count} photos for good; {_THEN}")


def unknown(
    home: Home = None, models: ModelsOption = None, as_json: Json = False, verbose: Verbose = False
) -> None:
    """Group the faces that match no concept into people worth naming, with a contact sheet each."""
    from ..pipeline.unknown import list_clusters

    answer = list_clusters(settings_from(home=home, models=models))
    print_answer(answer, as_json)
    if answer.rows:
        say(f"name one with: myvlm-tag learn --concept NAME --cluster {answer.rows[0][0]}")


def ignore(
    cluster: Annotated[str, typer.Option(help="Which one, as `unknown` lists it.")],
    home: Home = None,
    models: ModelsOption = None,
    verbose: Verbose = False,
) -> None:
    """Never be asked about a group of faces again."""
    from ..pipeline.unknown import ignore_cluster

    count = ignore_cluster(settings_from(home=home, models=models), cluster)
    say(f"{count} faces, and faces like them, are left out from now on")
