"""A catalog of many photos with a bit of everything each: two questions that differ find different photos."""

from __future__ import annotations

import datetime
from collections.abc import Callable

import numpy as np
import pytest
from myvlm_tag.pipeline.ask.clauses import Question
from myvlm_tag.pipeline.ask.compile import Compiler
from myvlm_tag.pipeline.ask.known import known
from myvlm_tag.pipeline.ask.parse import parse
from myvlm_tag.pipeline.ask.tokens import Known
from myvlm_tag.pipeline.catalog import Catalog
from myvlm_tag.pipeline.views import query
from myvlm_tag.schemas.settings import Settings, load_settings

from .truthful import write_home

NOW = datetime.datetime(2026, 11, 21, 12)
CONCEPTS = {
    "Anna": ("woman", "person"), "Ben": ("boy", "person"), "Clara": ("woman", "person"),
    "Rex": ("dog", "object"), "my-mug": ("mug", "object"),
}  # fmt: skip
PLACES = ["on the beach", "in the park", "in the snow", "in the kitchen", "on the street"]
CLOTHES = [
    f"a {color} {garment}" for color in ("red", "blue", "green") for garment in ("dress", "jacket", "coat")
]
DEEDS = ["waving", "sitting", "standing", "holding a mug", "riding a bicycle"]
SIDES = ["on the left", "in the middle", "on the right"]
CAMERAS = ["Apple iPhone 8", "Google Pixel 3a", "Canon EOS 700D", None]


def _photo(rng: np.random.Generator, number: int) -> dict:
    pick = lambda values: values[int(rng.integers(len(values)))]  # noqa: E731
    people = [name for name in ("Anna", "Ben", "Clara") if rng.random() < 0.45]
    sees = {}
    for name in people:
        near = [other for other in people if other != name]
        beside = CONCEPTS[pick(near)][0] if near and rng.random() < 0.7 else None
        sees[name] = {"wearing": pick(CLOTHES), "doing": pick(DEEDS), "where": pick(SIDES)}
        sees[name]["next_to"] = f"a {beside}" if beside else "nothing"
    for name in ("Rex", "my-mug"):
        if rng.random() < 0.3:
            sees[name] = {
                "color": pick(["white", "brown", "blue"]),
                "where": pick(SIDES),
                "next_to": "nothing",
            }
    told = [f"{name} wearing {sees[name]['wearing']} {sees[name]['doing']}" for name in people]
    told += [name for name in sees if name not in people]
    told += ["a man wearing a red coat walking"] if rng.random() < 0.2 else []
    day = datetime.datetime(2014, 1, 1) + datetime.timedelta(minutes=int(rng.integers(0, 13 * 365 * 24 * 60)))
    if number % 3 == 0:  # times that sentences speak of, which chance alone would seldom bring
        day = pick(
            [
                datetime.datetime(2023, 7, 1 + number % 31, number % 24),
                datetime.datetime(2026, 6 + number % 3, 5),
                datetime.datetime(2020, 12, 24 + number % 3), datetime.datetime(2019, 1 + number % 12, 3),
                datetime.datetime(2024, 1, 7, 5 + number % 9), datetime.datetime(2020, 1 + number % 12, 3),
            ]
        )  # fmt: skip
    strangers = int(rng.integers(0, 3)) if rng.random() < 0.3 else 0
    return {
        "path": f"/photos/{number:04}.jpg", "taken_at": day, "camera": pick(CAMERAS), "sees": sees,
        "faces": len(people) + strangers, "caption": f"{' and '.join(told)} {pick(PLACES)}" if sees else None,
    }  # fmt: skip


@pytest.fixture(scope="session")
def varied(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of a home with 600 photos."""
    rng = np.random.default_rng(3)
    home = tmp_path_factory.mktemp("varied") / "home"
    write_home(home, [_photo(rng, number) for number in range(600)], CONCEPTS)
    return load_settings({"home": home}, environ={}, config=home / "none")


@pytest.fixture(scope="session")
def names(varied: Settings) -> Known:
    return known(varied, Catalog(varied.catalog))


@pytest.fixture(scope="session")
def found(varied: Settings, names: Known) -> Callable[[str], list]:
    """What a sentence finds, CLIP aside."""

    def found(sentence: str) -> list:
        question: Question = parse(sentence, names, NOW)
        return query(Catalog(varied.catalog), Compiler(names.concepts).question(question)).rows

    return found
