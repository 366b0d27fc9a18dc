"""The command line: parse, call the pipeline, print. Results go to stdout, everything else to stderr.

What the commands do stands in `pipeline/`; imports are made inside them, so that `--help` starts at once.
"""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .schemas.concept import REPORT
from .schemas.errors import FAILED, INTERRUPTED, OK, MyvlmTagError, UsageProblem
from .schemas.settings import Settings, load_settings

if TYPE_CHECKING:
    from .pipeline.views import Answer
    from .schemas.concept import Concept

app = typer.Typer(
    name="myvlm-tag",
    help="Teach a photo library your own people, pets and things, and then ask it anything.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
models_app = typer.Typer(
    help="List, check and fetch model packs.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(models_app, name="models")
concepts_app = typer.Typer(
    help="List, show, rename, learn again and forget concepts.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(concepts_app, name="concepts")

Home = Annotated[Path | None, typer.Option(help="Folder of the catalog (default: the user data folder).")]
ModelsOption = Annotated[
    str | None, typer.Option("--models", help="Model pack: a name, or a folder of your own.")
]
Json = Annotated[bool, typer.Option("--json", help="Print results as JSON.")]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Show details, and tracebacks of errors.")]


def main() -> None:
    """Run the command line; every named error becomes one line and its exit code."""
    os.umask(0o077)
    verbose = any(argument in ("-v", "--verbose") for argument in sys.argv[1:])
    try:
        app(standalone_mode=True)
    except MyvlmTagError as error:
        if verbose:
            raise
        print(f"myvlm-tag: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("myvlm-tag: interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:  # the reader of a pipe (head) has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(OK)
    except Exception as error:
        if verbose:
            raise
        words = " ".join(str(error).split()) or "no further words"
        print(f"myvlm-tag: {type(error).__name__}: {words}; details with -v", file=sys.stderr)
        sys.exit(FAILED)


@app.command()
def run(
    library: Annotated[list[Path], typer.Argument(help="Folders of photos.")],
    home: Home = None,
    models: ModelsOption = None,
    only: Annotated[str | None, typer.Option(help="Stop after this pipeline: features.")] = None,
    address: Annotated[
        str | None, typer.Option(help="A Ray cluster to run on (default: this machine).")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Worker processes (default: one per CPU).")] = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Bring the catalog up to date with the photos in LIBRARY."""
    from .pipeline.progress import Progress
    from .pipeline.run import run as run_pipelines

    if only not in (None, "features"):
        raise UsageProblem(f"there is no pipeline {only!r}", "known are: features")
    settings = _settings(home=home, models=models, address=address, workers=workers, verbose=verbose or None)
    summary = run_pipelines(library, settings, Progress())
    _print_record(asdict(summary), as_json, summary.lines)
    raise typer.Exit(summary.exit_code)


@app.command()
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
    from .pipeline import status as report

    found = report.status(library or [], _settings(home=home, models=models))
    _print_record(found, as_json, lambda: report.status_lines(found))


@app.command()
def failures(home: Home = None, as_json: Json = False, verbose: Verbose = False) -> None:
    """List the files that could not be done, and why."""
    from .pipeline import status as report

    answer = report.failures(_settings(home=home))
    if as_json:
        _print_answer(answer, as_json=True)
    else:
        for path, stage, kind, reason, _ in answer.rows:
            print(f"{path}: {reason} ({stage}: {kind})")


@app.command()
def sql(
    query: Annotated[
        str, typer.Argument(help="One SELECT over photos, files, faces, clip, detections, failures.")
    ],
    home: Home = None,
    as_json: Json = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print results as CSV.")] = False,
    verbose: Verbose = False,
) -> None:
    """Ask the catalog in SQL. Nothing can be changed, and nothing but the catalog can be read."""
    from .pipeline.catalog import Catalog
    from .pipeline.views import query as ask

    _print_answer(ask(Catalog(_settings(home=home).catalog), query), as_json, as_csv)


@app.command()
def compact(home: Home = None, as_json: Json = False, verbose: Verbose = False) -> None:
    """Merge the catalog's segments into one, so that queries open fewer files."""
    from .pipeline.run import compact as compact_catalog

    merged = compact_catalog(_settings(home=home))
    _print_record(
        {"merged": merged}, as_json, lambda: [f"merged {merged} segments" if merged else "nothing to merge"]
    )


@app.command()
def doctor(
    home: Home = None, models: ModelsOption = None, as_json: Json = False, verbose: Verbose = False
) -> None:
    """Check versions, devices, memory, weights, disk and permissions."""
    from .pipeline.status import doctor as examine

    facts, problems = examine(_settings(home=home, models=models))
    width = max(map(len, facts))
    lines = [f"{name:<{width}}  {value}" for name, value in facts.items()]
    _print_record(
        {**facts, "problems": problems},
        as_json,
        lambda: [*lines, *(f"problem: {problem}" for problem in problems or ["none found"])],
    )
    raise typer.Exit(FAILED if problems else OK)


@app.command()
def sample(
    out: Annotated[Path, typer.Argument(help="Folder to write; it is made.")],
    photos: Annotated[int, typer.Option(help="How many photos.")] = 200,
    seed: Annotated[int, typer.Option(help="Another seed, other people and photos.")] = 1,
    hostile: Annotated[bool, typer.Option("--hostile", help="Add files that break photo software.")] = False,
    verbose: Verbose = False,
) -> None:
    """Write a rendered sample library with its truth, to try everything on."""
    from .pipeline.progress import Progress
    from .world.sample import write_sample

    with Progress().step("sample", photos) as step:
        write_sample(out, photos, seed, hostile, lambda done, total: step.move_to(done, total))
    print(out / "library")


@app.command()
def learn(
    folder: Annotated[Path, typer.Argument(help="A folder with one to five photos of it.")],
    concept: Annotated[str, typer.Option(help="What you call the person, pet or thing.")],
    kind: Annotated[str | None, typer.Option(help="person or object (default: what the photos say).")] = None,
    identifier: Annotated[str, typer.Option(help="The word the model is to say for it.")] = "",
    captions: Annotated[
        Path | None, typer.Option(help='Captions, {"1.jpg": ["Anna on a bench"]} (default: captions.json).')
    ] = None,
    negatives: Annotated[Path | None, typer.Option(help="Photos of other things like it.")] = None,
    vlm: Annotated[str, typer.Option(help="The model that is to speak of it (default: the pack's).")] = "",
    home: Home = None,
    models: ModelsOption = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Learn a person, a pet or a thing from a few photos."""
    from .pipeline.learn import Request
    from .pipeline.learn import learn as learn_concept

    request = Request(concept, folder, kind, identifier, captions, negatives, vlm)
    _print_concept(learn_concept(_settings(home=home, models=models), request, _say), home, as_json)


@concepts_app.command("list")
def concepts_list(home: Home = None, as_json: Json = False) -> None:
    """Show all concepts, a line each."""
    from .pipeline.concepts import list_concepts

    _print_answer(list_concepts(_settings(home=home).home), as_json)


@concepts_app.command("show")
def concepts_show(name: str, home: Home = None, as_json: Json = False) -> None:
    """Show what was learnt of a concept, from which photos, and how sure it is."""
    from .pipeline.concepts import Concepts

    _print_concept(Concepts(_settings(home=home).home).find(name), home, as_json)


@concepts_app.command("rename")
def concepts_rename(name: str, to: str, home: Home = None) -> None:
    """Give a concept another name. Nothing is learnt anew."""
    from .pipeline.concepts import rename

    rename(_settings(home=home), name, to)


@concepts_app.command("retrain")
def concepts_retrain(
    name: str, home: Home = None, models: ModelsOption = None, as_json: Json = False, verbose: Verbose = False
) -> None:
    """Learn a concept anew from the photos that were kept with it: a new version."""
    from .pipeline.learn import retrain

    _print_concept(retrain(_settings(home=home, models=models), name, _say), home, as_json)


@concepts_app.command("forget")
def concepts_forget(name: str, home: Home = None) -> None:
    """Remove a concept and everything that was derived from it."""
    from .pipeline.concepts import forget

    forget(_settings(home=home), name)


@models_app.command("list")
def models_list(home: Home = None, as_json: Json = False) -> None:
    """Show the model packs: what is in them, licence, size, and what is on this disk."""
    from .pipeline.models import list_models

    _print_answer(list_models(_settings(home=home)), as_json)


@models_app.command("verify")
def models_verify(
    pack: Annotated[str | None, typer.Argument(help="A pack's name or folder.")] = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Check that a pack's files are there and whole."""
    from .pipeline.models import verify_models

    answer, sound = verify_models(_settings(home=home, models=pack))
    _print_answer(answer, as_json)
    raise typer.Exit(OK if sound else FAILED)


@models_app.command("pull")
def models_pull(
    pack: Annotated[str, typer.Argument(help="A pack's name.")],
    home: Home = None,
    yes: Annotated[bool, typer.Option("--yes", help="Agree to every licence without being asked.")] = False,
) -> None:
    """Download a pack, after showing licence and size. The only command that uses the network."""
    from .pipeline.models import pull_models

    def agree(line: str) -> bool:
        print(line, file=sys.stderr)
        return yes or typer.confirm("download it under this licence?", err=True)

    for folder in pull_models(
        _settings(home=home, models=pack), agree, lambda line: print(line, file=sys.stderr)
    ):
        print(folder)


def _settings(**flags: Any) -> Settings:
    return load_settings(flags)


def _say(line: str) -> None:
    print(line, file=sys.stderr)


def _print_concept(concept: Concept, home: Path | None, as_json: bool) -> None:
    from .pipeline.concepts import Concepts, describe

    report = Concepts(_settings(home=home).home).path(concept.name) / REPORT
    _print_record(asdict(concept), as_json, lambda: [*describe(concept), f"picture: {report}"])


def _print_record(record: dict[str, Any], as_json: bool, lines: Callable[[], list[str]]) -> None:
    print(json.dumps(record, indent=1, default=str, ensure_ascii=False) if as_json else "\n".join(lines()))


def _print_answer(answer: Answer, as_json: bool, as_csv: bool = False) -> None:
    from .pipeline.show import as_records, as_text, table_lines

    if as_json:
        print(json.dumps(as_records(answer), indent=1, ensure_ascii=False))
    elif as_csv:
        writer = csv.writer(sys.stdout)
        writer.writerow(answer.columns)
        writer.writerows(as_text(row) for row in answer.rows)
    else:
        for line in table_lines(answer):
            print(line)


if __name__ == "__main__":
    main()
