"""Questions put to a small catalog whose every row is known, by the command line."""

from __future__ import annotations

import csv
import datetime
import io
import json
from pathlib import Path

import pytest
from myvlm_tag.cli import app
from myvlm_tag.pipeline.ask.answer import ask
from myvlm_tag.schemas.errors import ConceptMissing, MyvlmTagError, UsageProblem
from myvlm_tag.schemas.settings import Settings, load_settings
from PIL import Image
from typer.testing import CliRunner

from .conftest import CONCEPTS, NOW
from .truthful import write_home

RED = {"wearing": "a red dress", "doing": "waving", "where": "on the left", "next_to": "nothing"}
BLUE = {"wearing": "a blue coat", "doing": "sitting", "where": "on the right", "next_to": "a woman"}


@pytest.fixture
def photos(tmp_path: Path) -> dict[str, Path]:
    folder = tmp_path / "photos"
    folder.mkdir()
    paths = {name: folder / f"{name}.jpg" for name in ("red", "both", "mug", "street", "old")}
    for path in paths.values():
        Image.new("RGB", (40, 30), (200, 10, 10)).save(path)
    return paths


@pytest.fixture
def settings(tmp_path: Path, photos: dict[str, Path]) -> Settings:
    rows = [
        {"path": str(photos["red"]), "taken_at": datetime.datetime(2023, 7, 2), "sees": {"Anna": RED},
         "caption": "Anna wearing a red dress waving on the beach"},
        {"path": str(photos["both"]), "taken_at": datetime.datetime(2024, 7, 2),
         "sees": {"Anna": BLUE, "Ben": RED},
         "caption": "Anna wearing a blue coat sitting and Ben wearing a red dress waving in the park"},
        {"path": str(photos["mug"]), "sees": {"my-mug": {"color": "blue"}},
         "caption": "my-mug in the kitchen"},
        {"path": str(photos["street"]), "taken_at": datetime.datetime(2019, 5, 3),
         "camera": "Apple iPhone 8"},
        {"path": str(photos["old"]), "taken_at": datetime.datetime(2010, 5, 3), "faces": 2, "latitude": 54.2,
         "longitude": 12.1},
    ]  # fmt: skip
    write_home(tmp_path / "home", rows, CONCEPTS)
    return load_settings({"home": tmp_path / "home"}, environ={}, config=tmp_path / "none")


def found(settings: Settings, sentence: str) -> list[str]:
    return [Path(row.path).stem for row in ask(settings, sentence, NOW).rows]


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("Anna wearing red", ["red"]),
        ("Anna in a red dress", ["red"]),
        ("Anna not wearing red", ["both"]),
        ("ANNA", ["red", "both"]),
        ("newest photos of Anna", ["both", "red"]),
        ("the newest photo of Anna", ["both"]),
        ("Anna in July 2023", ["red"]),
        ("photos in July", ["red", "both"]),
        ("on 3 May", ["old", "street"]),
        ("Anna and Ben", ["both"]),
        ("Anna without Ben", ["red"]),
        ("neither Anna nor Ben", ["old", "street", "mug"]),
        ("Anna alone", ["red"]),
        ("Anna sitting next to Ben", []),
        ("Ben on the left or my mug", ["both", "mug"]),
        ("someone wearing red", ["red", "both"]),
        ("my mug is blue", ["mug"]),
        ("my blue mug", ["mug"]),
        ("two people", ["old", "both"]),
        ("without people", ["street", "mug"]),
        ("taken with the iPhone", ["street"]),
        ("within 50 km of 54, 12", ["old"]),
        ("before 2015 or after 2023", ["old", "both"]),
        ("all photos", ["old", "street", "red", "both", "mug"]),
    ],
)
def test_a_sentence_finds_the_photos_it_is_true_of(
    settings: Settings, sentence: str, expected: list[str]
) -> None:
    assert found(settings, sentence) == expected


def test_a_pet_may_be_called_like_a_camera(tmp_path: Path) -> None:
    rows = [{"path": "/a.jpg", "camera": "Google Pixel 3a"}, {"path": "/b.jpg", "sees": {"pixel": {}}}]
    write_home(tmp_path, rows, {"pixel": ("rabbit", "object")})
    home = load_settings({"home": tmp_path}, environ={}, config=tmp_path / "none")
    assert found(home, "taken with the Pixel 3a") == found(home, "taken with the Pixel") == ["a"]
    assert found(home, "photos of Pixel") == ["b"]


def test_how_many_is_a_number(settings: Settings) -> None:
    assert ask(settings, "how many photos of Anna", NOW).count == 2


def test_a_name_nobody_has_brings_the_nearest_known(settings: Settings) -> None:
    with pytest.raises(ConceptMissing, match=r"no concept 'Anya'.*Anna"):
        ask(settings, "photos of Anya", NOW)
    with pytest.raises(ConceptMissing, match=r"no concept 'ann'.*Anna"):
        ask(settings, "ann in the park", NOW)


@pytest.mark.parametrize(
    ("sentence", "cause"),
    [
        ("delete every photo of Anna", "'delete' isn't understood"),
        ("why is Anna sad", "'why' isn't understood"),
        ("Anna wearing or", "isn't understood"),
        ("on 31 February 2020", "is no date"),
        ("", "no question"),
        ("photos " * 200, "at most 500 characters"),
    ],
)
def test_what_cant_be_read_is_said_with_examples_that_work(
    settings: Settings, sentence: str, cause: str
) -> None:
    with pytest.raises(UsageProblem) as caught:
        ask(settings, sentence, NOW)
    assert cause in str(caught.value)
    if "ask for example" in str(caught.value):
        for example in str(caught.value).split('"')[1::2]:
            ask(settings, example, NOW)


def test_the_examples_of_any_library_can_be_read(tmp_path: Path) -> None:
    write_home(tmp_path, [], {})
    empty = load_settings({"home": tmp_path}, environ={}, config=tmp_path / "none")
    with pytest.raises(MyvlmTagError, match="ask for example"):
        ask(empty, "why", NOW)


def invoke(settings: Settings, *arguments: object) -> str:
    done = CliRunner().invoke(
        app, [*map(str, arguments), "--home", str(settings.home)], catch_exceptions=False
    )
    assert done.exit_code == 0
    return done.stdout


def test_query_prints_a_table_json_csv_or_paths(settings: Settings, photos: dict[str, Path]) -> None:
    assert invoke(settings, "query", "Anna", "in", "red").splitlines()[-1] == "(1 row)"
    told = json.loads(invoke(settings, "query", "Anna in red", "--json"))
    assert told["photos"] == 1
    assert told["rows"][0]["path"] == str(photos["red"])
    assert told["rows"][0]["match"] == "exact"
    assert "says_any(wearing, ['red'])" in told["sql"]
    rows = list(csv.DictReader(io.StringIO(invoke(settings, "query", "Anna in red", "--csv"))))
    assert [row["path"] for row in rows] == [str(photos["red"])]
    assert invoke(settings, "query", "Anna", "--paths") == f"{photos['red']}\n{photos['both']}\n"
    assert invoke(settings, "query", "Anna", "--print0") == f"{photos['red']}\0{photos['both']}\0"


def test_explain_shows_how_it_was_read_and_sql_that_runs(settings: Settings) -> None:
    done = CliRunner().invoke(app, ["query", "Anna in July", "--explain", "--home", str(settings.home)])
    assert "July of any year" in done.stderr
    sql = done.stderr.split("sql:\n")[1]
    assert len(json.loads(invoke(settings, "sql", sql, "--json"))) == 2


def test_found_photos_are_copied_linked_and_shown(
    settings: Settings, photos: dict[str, Path], tmp_path: Path
) -> None:
    invoke(
        settings, "query", "Anna", "--copy-to", tmp_path / "copies", "--link-to", tmp_path / "links",
        "--html", tmp_path / "page.html",
    )  # fmt: skip
    assert sorted(path.name for path in (tmp_path / "copies").iterdir()) == ["both.jpg", "red.jpg"]
    assert (tmp_path / "copies" / "red.jpg").read_bytes() == photos["red"].read_bytes()
    assert (tmp_path / "links" / "red.jpg").resolve() == photos["red"]
    page = (tmp_path / "page.html").read_text("utf-8")
    assert page.count("data:image/jpeg;base64,") == 2
    assert "Anna wearing a red dress" in page


def test_words_that_no_caption_has_need_a_clip_model_and_say_so(settings: Settings, light_pack: Path) -> None:
    from dataclasses import replace

    reply = ask(replace(settings, models=str(light_pack)), "Anna juggling", NOW)
    assert reply.rows == []
    assert any("not ranked by similarity" in note for note in reply.notes)
