"""The demo and the measurement of the whole, on a library of a few photos, as a person runs them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from myvlm_tag.world.demo import __main__ as picture
from myvlm_tag.world.measure.end_to_end import measure
from myvlm_tag.world.measure.household import settled
from PIL import Image

PHOTOS, SEED = 10, 5
#: What must hold of the whole, by the names that `--json` gives.
BARS = {
    "people found": 0.964,
    "people taken for another": 0.023,
    "pets and things found": 0.966,
    "photos without them rejected": 0.99,
    "names in captions": 0.96,
    "captions of photos without a concept unchanged": 1.0,
    "answers: wearing alone": 0.92,
    "answers: wearing among several": 0.80,
    "answers: doing": 0.90,
    "answers: where": 0.92,
    "answers: next to": 0.75,
    "boxes, IoU of at least 0.5": 0.85,
    "photos sent to the model that no head fired on": 0.0,
}


pytestmark = pytest.mark.timeout(900)  # half a minute by itself, many on a busy machine


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=800, check=False)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The folder of a demo, and what it printed."""
    out = tmp_path_factory.mktemp("demo") / "here"
    arguments = ["demo", "--out", out, "--photos", str(PHOTOS), "--seed", str(SEED), "--json"]
    done = run("-m", "myvlm_tag.cli", *arguments)
    assert done.returncode == 0, done.stderr
    return out, json.loads(done.stdout)


def test_the_demo_learns_eight_concepts_and_says_how_right_it_was(demo: tuple[Path, dict[str, Any]]) -> None:
    _, told = demo
    assert {kind: len(names) for kind, names in told["concepts"].items()} == {
        "people": 4,
        "pets": 2,
        "things": 2,
    }
    assert {"people found", "pets and things found", "name said in the caption"} <= set(told["right"])
    assert told["right"]["people found"]["share"] > 0.5
    assert told["right"]["name said in the caption"]["of"] > 3
    assert sum(told["seconds"].values()) > 1


def test_the_demo_asks_three_questions_in_sql(demo: tuple[Path, dict[str, Any]]) -> None:
    _, told = demo
    assert len(told["questions"]) == 3
    assert all(asked["sql"].startswith("SELECT") for asked in told["questions"])
    assert told["questions"][0]["rows"][0]["photos"] > 0


def test_the_page_needs_nothing_but_itself(demo: tuple[Path, dict[str, Any]]) -> None:
    out, told = demo
    page = (out / "demo.html").read_text("utf-8")
    sources = re.findall(r'src="(.*?)"', page)
    assert len(sources) >= PHOTOS
    assert all(source.startswith("data:image/jpeg;base64,") for source in sources)
    assert not re.search(r"https?://|@import|<link|url\(", page)
    assert "$" not in re.sub(r"data:[^\"]*", "", page)  # every place of the template is filled
    for name in chain.from_iterable(told["concepts"].values()):
        assert f"<b>{name}</b>" in page
    assert 'class="box"' in page


def test_the_contact_sheet_becomes_the_picture_of_the_readme(
    demo: tuple[Path, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, _ = demo
    with Image.open(out / "contact-sheet.png") as sheet:
        assert sheet.width > 1000
    monkeypatch.setattr(sys, "argv", ["demo", str(out), str(tmp_path / "demo.jpg")])
    picture.main()
    assert (tmp_path / "demo.jpg").stat().st_size < 400_000


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "diary.txt").write_text("mine")
    done = run("-m", "myvlm_tag.cli", "demo", "--out", tmp_path)
    assert done.returncode == 2
    assert "no demo" in done.stderr
    assert (tmp_path / "home" / "diary.txt").exists()


def test_the_whole_is_measured_through_the_command_line(demo: tuple[Path, dict[str, Any]]) -> None:
    """In a demo's folder nothing has to be rendered or learnt again; one of the ways is enough here."""
    out, told = demo
    with settled(SEED, PHOTOS, out) as household:
        made = measure(household, ["plain"])
    figures = {name: figure.record() for name, figure in made.items()}
    assert {Path(row["path"]).is_file() for row in household.sql("SELECT path FROM photos")} == {True}
    assert {name: figures[name]["bar"] for name in BARS} == BARS
    assert figures["words about a concept"]["bar"] == pytest.approx(
        figures["words about a concept, plain model"]["value"] - 0.03
    )
    assert figures["people found"]["value"] == pytest.approx(told["right"]["people found"]["share"], abs=1e-3)
    assert figures["captions of photos without a concept unchanged"]["met"]
    assert figures["photos sent to the model that no head fired on"]["met"]
    assert figures["names in captions, plain model"]["value"] < 0.2
    assert {"plain", "crop"} <= {name.partition(",")[0] for name in figures}


def test_measuring_the_whole_asks_for_a_seed() -> None:
    done = run("-m", "myvlm_tag.world.measure", "--end-to-end")
    assert done.returncode == 2
    assert "--seed" in done.stderr
