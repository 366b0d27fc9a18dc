"""`learn`, `explain`, `concepts list|show|rename|retrain|forget`: commands about people, pets and things."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..schemas.concept import REPORT
from ..schemas.errors import UsageProblem
from ..schemas.paths import to_text
from .options import Home, Json, ModelsOption, Verbose, settings_from
from .printing import print_answer, print_record, say

if TYPE_CHECKING:
    from ..schemas.concept import Concept

Vlm = Annotated[
    str, typer.Option(help="The models that are to speak of it, as blip2,llava (default: the pack's first).")
]

app = typer.Typer(
    help="List, show, rename, learn again and forget concepts.", no_args_is_help=True, rich_markup_mode=None
)


def learn(
    concept: Annotated[str, typer.Option(help="What you call the person, pet or thing.")],
    folder: Annotated[Path | None, typer.Argument(help="A folder with one to five photos of it.")] = None,
    cluster: Annotated[str, typer.Option(help="Instead of a folder: people that `unknown` found.")] = "",
    kind: Annotated[str | None, typer.Option(help="person or object (default: what the photos say).")] = None,
    identifier: Annotated[str, typer.Option(help="The word the model is to say for it.")] = "",
    captions: Annotated[
        Path | None, typer.Option(help='Captions, {"1.jpg": ["Anna on a bench"]} (default: captions.json).')
    ] = None,
    negatives: Annotated[Path | None, typer.Option(help="Photos of other things like it.")] = None,
    vlm: Vlm = "",
    home: Home = None,
    models: ModelsOption = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Learn a person, a pet or a thing from a few photos."""
    from ..pipeline.learn import Request
    from ..pipeline.learn import learn as learn_concept
    from ..pipeline.unknown import photos_of_cluster

    settings = settings_from(home=home, models=models)
    if (folder is None) == (not cluster):
        raise UsageProblem(
            "learn needs photos", "name a folder, or one of the people of `unknown`: --cluster ID"
        )
    kind = kind or ("person" if cluster else None)
    given = nullcontext((folder, {})) if folder else photos_of_cluster(settings, cluster)
    with given as (photos, sources):
        request = Request(concept, photos, kind, identifier, captions, negatives, vlm, sources)
        learnt = learn_concept(settings, request, say)
    _print_concept(learnt, home, as_json)


def explain(
    photo: Annotated[Path, typer.Argument(help="A photo, of the library or any other.")],
    concept: Annotated[str, typer.Option(help="Whom or what to look for in it.")],
    out: Annotated[Path, typer.Option(help="Where the picture goes.")] = Path("explained.png"),
    vlm: Annotated[str, typer.Option(help="Whose attention (default: the first that knows it).")] = "",
    home: Home = None,
    models: ModelsOption = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Draw why a photo shows a concept, or doesn't: the head's evidence, and where the model looks."""
    from ..pipeline.explain import explain as look_into
    from ..pipeline.explain import write_picture
    from ..pipeline.output import check_output

    check_output(out, "--out", photo)
    found = look_into(settings_from(home=home, models=models), photo, concept, vlm, say)
    write_picture(found, out)
    picture = to_text(out)
    print_record(
        {**found.record(), "picture": picture}, as_json, lambda: [*found.lines(), f"picture: {picture}"]
    )


@app.command("list")
def concepts_list(home: Home = None, as_json: Json = False, verbose: Verbose = False) -> None:
    """Show all concepts, a line each."""
    from ..pipeline.concepts import list_concepts

    print_answer(list_concepts(settings_from(home=home).home), as_json)


@app.command("show")
def concepts_show(name: str, home: Home = None, as_json: Json = False, verbose: Verbose = False) -> None:
    """Show what was learnt of a concept, from which photos, and how sure it is."""
    from ..pipeline.concepts import Concepts

    _print_concept(Concepts(settings_from(home=home).home).find(name), home, as_json)


@app.command("rename")
def concepts_rename(name: str, to: str, home: Home = None, verbose: Verbose = False) -> None:
    """Give a concept another name. Nothing is learnt anew."""
    from ..pipeline.concept_rows import rename

    rename(settings_from(home=home), name, to)


@app.command("retrain")
def concepts_retrain(
    name: str,
    vlm: Annotated[
        str, typer.Option(help="The models that are to speak of it (default: those that do).")
    ] = "",
    home: Home = None,
    models: ModelsOption = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Learn a concept anew from the photos that were kept with it: a new version."""
    from ..pipeline.learn import retrain

    _print_concept(retrain(settings_from(home=home, models=models), name, say, vlm), home, as_json)


@app.command("forget")
def concepts_forget(name: str, home: Home = None, verbose: Verbose = False) -> None:
    """Remove a concept and everything that was derived from it."""
    from ..pipeline.concept_rows import forget

    forget(settings_from(home=home), name)


def _print_concept(concept: Concept, home: Path | None, as_json: bool) -> None:
    from ..pipeline.concepts import Concepts, describe

    report = Concepts(settings_from(home=home).home).path(concept.name) / REPORT
    print_record(asdict(concept), as_json, lambda: [*describe(concept), f"picture: {report}"])
