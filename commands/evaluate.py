"""`evaluate`: the paper's tables, on a folder of one's own concepts or on rendered ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from ..schemas.errors import UsageProblem
from .options import Home, Json, ModelsOption, Verbose, settings_from
from .printing import print_record, say

if TYPE_CHECKING:
    from ..pipeline.evaluate.data import Dataset

SEEDS = "51,52,53,54,55"


def evaluate(
    folder: Annotated[
        Path | None, typer.Argument(help="A folder of concepts: FOLDER/<concept>/*.jpg with captions.json.")
    ] = None,
    seeds: Annotated[
        str, typer.Option(help="Of rendered concepts; with a folder, of the draws of training photos.")
    ] = SEEDS,
    vlm: Annotated[
        str, typer.Option(help="Which models, as blip2,llava (default: the setting, else the pack's first).")
    ] = "",
    tables: Annotated[str, typer.Option(help="Which of 1,2,5,6,7,vqa (default: all).")] = "",
    concepts: Annotated[int, typer.Option(help="At most so many, of each seed (0: all).", min=0)] = 4,
    photos: Annotated[int, typer.Option(help="At most so many to judge a concept by.", min=1)] = 6,
    training: Annotated[int, typer.Option(help="Photos a concept is learnt from.", min=1, max=5)] = 4,
    out: Annotated[Path | None, typer.Option(help="A folder for report.md, plots and figures.")] = None,
    home: Home = None,
    models: ModelsOption = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Measure what the MyVLM paper measures of heads, captions and answers, beside its figures."""
    from ..pipeline.evaluate.report import lines, write_report
    from ..pipeline.evaluate.run import Sizes, check_tables
    from ..pipeline.evaluate.run import evaluate as measure

    wanted, numbers = check_tables(tables), _numbers(seeds)
    settings = settings_from(home=home, models=models)
    with TemporaryDirectory(prefix="myvlm-tag-evaluate-") as passing:
        data = (
            _drawn(folder, numbers, concepts)
            if folder
            else _rendered(Path(passing), numbers, concepts, photos)
        )
        # Rendered concepts are judged apart from anyone's library.
        apart = None if folder else Path(passing) / "home"
        done = measure(settings, data, vlm, wanted, Sizes(training, photos), say, apart)
    if out is not None:
        say(f"report: {write_report(done, out)}")
    print_record(done.record(), as_json, lambda: lines(done))


def _numbers(seeds: str) -> list[int]:
    numbers = [seed.strip() for seed in seeds.split(",")]
    if not all(seed.isdecimal() for seed in numbers):
        raise UsageProblem(f"--seeds is {seeds!r}", f"write it like {SEEDS}")
    return [int(seed) for seed in numbers]


def _drawn(folder: Path, seeds: list[int], concepts: int) -> Iterator[Dataset]:
    """The same photos, drawn anew for each seed."""
    from ..pipeline.evaluate.data import read_dataset

    for seed in seeds:
        yield read_dataset(folder, f"{folder.name}, draw {seed}", seed, concepts)


def _rendered(folder: Path, seeds: list[int], concepts: int, photos: int) -> Iterator[Dataset]:
    """Other people and things for each seed."""
    from ..pipeline.evaluate.data import read_dataset
    from .world import render_concepts

    for seed in seeds:
        say(f"seed {seed}: rendering")
        yield read_dataset(
            render_concepts(folder / str(seed), seed, concepts or 8, photos), f"seed {seed}", seed
        )
