"""The steps of the demo, in order, by the same functions that the commands call.

What does not live here: what is asked (`questions`), how it looks (`pictures`, `page`), and what is right
(`measure/judge.py`).
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...pipeline.catalog import Catalog
from ...pipeline.concepts import Concepts
from ...pipeline.learn import Request, learn
from ...pipeline.progress import Progress, duration
from ...pipeline.run import run
from ...pipeline.show import as_records, table_lines
from ...pipeline.views import Answer, query
from ...schemas.concept import PHOTOS, Concept
from ...schemas.errors import UsageProblem
from ...schemas.paths import to_text
from ...schemas.settings import load_settings
from ..measure import judge
from ..measure.judge import Photo, Tally
from ..sample import write_sample
from .page import write_page
from .pictures import PALETTE, contact_sheet
from .questions import Question, questions

PACK = "pocket"  # no other knows the sample world
PAGE, SHEET = "demo.html", "contact-sheet.png"

_TOPICS = ("wearing alone", "wearing among several", "doing", "where", "next_to", "color")


@dataclass
class Demo:
    """What the demo did, found and wrote."""

    photos: int
    concepts: dict[str, list[str]]  # by kind
    page: Path
    sheet: Path
    seconds: dict[str, float] = field(default_factory=dict)  # by step
    answers: dict[Question, Answer] = field(default_factory=dict)
    tallies: dict[str, Tally] = field(default_factory=dict)

    @property
    def facts(self) -> str:
        """What was done, and how long it took."""
        steps = ", ".join(f"{name} {duration(seconds)}" for name, seconds in self.seconds.items())
        count = sum(map(len, self.concepts.values()))
        return f"{self.photos} photos, {count} concepts: {duration(sum(self.seconds.values()))} ({steps})"

    def record(self) -> dict[str, Any]:
        """What `--json` prints."""
        return {
            "photos": self.photos,
            "concepts": self.concepts,
            "seconds": {name: round(seconds, 1) for name, seconds in self.seconds.items()},
            "questions": [
                {"question": question.words, "sql": question.sql, "rows": as_records(answer)}
                for question, answer in self.answers.items()
            ],
            "right": {
                name: {"share": round(tally.share, 4), "right": tally.right, "of": tally.asked}
                for name, tally in self.tallies.items()
            },
            "page": str(self.page),
            "sheet": str(self.sheet),
        }

    def lines(self) -> list[str]:
        """The same for people."""
        lines = [self.facts]
        for question, answer in self.answers.items():
            lines += ["", question.words, *(f"    {line}" for line in question.sql.split("\n")), ""]
            lines += table_lines(answer)
        wide = max(map(len, self.tallies))
        lines += ["", "How right it was:"]
        lines += [
            f"  {name:<{wide}}  {tally.share:7.1%}  ({tally.right} of {tally.asked})"
            for name, tally in self.tallies.items()
        ]
        return [*lines, "", f"Look at {self.page} and {self.sheet}"]


def run_demo(out: Path, photos: int, seed: int, progress: Progress) -> Demo:
    """Render, learn, run, ask, judge and write the page into `out`; an earlier demo there is replaced.

    Raises UsageProblem if `out` holds anything else, and whatever the commands raise.
    """
    sample, home = _make_room(out)
    settings = load_settings({"home": home, "models": PACK})
    seconds: dict[str, float] = {}
    with _timed(seconds, "rendering"), progress.step("sample", photos) as step:
        made = write_sample(sample, photos, seed, progress=step.move_to)
    concepts = {"people": list(made.people), "pets": list(made.pets), "things": list(made.things)}
    names = [name for kind in concepts.values() for name in kind]
    with _timed(seconds, "learning"):
        for name in names:
            learn(settings, Request(name, sample / "concepts" / name), progress.say)
    with _timed(seconds, "running"):
        run([sample / "library"], settings, progress)
    seen = Demo(photos, concepts, out / PAGE, out / SHEET, seconds)
    catalog = Catalog(settings.catalog)
    seen.answers = {asked: query(catalog, asked.sql) for asked in questions(made.people)}
    found = judge.read_photos(lambda sql: query(catalog, sql).records(), sample)
    seen.tallies = tallies(found, [*made.pets, *made.things])
    _show(seen, found, Concepts(home), names)
    return seen


def tallies(photos: list[Photo], objects: list[str]) -> dict[str, Tally]:
    """How right it was, in the order of the work; what nobody was asked about is left out."""
    people, things = judge.judge_people(photos), judge.judge_objects(photos, objects)
    answers = judge.judge_answers(photos)
    made = {
        "people found": people["found"],
        "people taken for another": people["wrong"],
        "pets and things found": things["found"],
        "photos without them passed over": things["rejected"],
        "name said in the caption": judge.judge_names(photos)["fired"],
        **{topic.replace("_", " "): answers[topic] for topic in _TOPICS if topic in answers},
        "boxes": judge.judge_boxes(photos),
    }
    return {name: tally for name, tally in made.items() if tally.asked}


def _make_room(out: Path) -> tuple[Path, Path]:
    """The folders for the sample and the home below `out`; only what an earlier demo left is removed."""
    sample, home = out / "sample", out / "home"
    if home.exists() and not (sample / "sample.json").is_file():
        raise UsageProblem(
            f"{out} holds something that is no demo", "choose a folder that is empty or not there"
        )
    if home.exists():
        shutil.rmtree(home)
    return sample, home


def _show(seen: Demo, photos: list[Photo], concepts: Concepts, names: list[str]) -> None:
    """Write the contact sheet and the page."""
    colors = dict(zip(names, PALETTE, strict=True))
    contact_sheet(photos, colors).save(seen.sheet)
    known = [concepts.find(name) for name in names]
    pictured = [(one, to_text(concepts.path(one.name) / PHOTOS / _clearest(one))) for one in known]
    page = write_page(photos, pictured, colors, seen.tallies, seen.answers, seen.facts)
    seen.page.write_text(page, encoding="utf-8")


def _clearest(concept: Concept) -> str:
    """The training photo with the largest face, of things the first."""
    boxes = {photo.file: photo.box or (0, 0, 0, 0) for photo in concept.photos}
    return max(boxes, key=lambda file: boxes[file][3] - boxes[file][1])


@contextmanager
def _timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    started = time.monotonic()
    yield
    seconds[name] = time.monotonic() - started
