"""A household to measure on: a sample library that the installed `myvlm-tag` learnt and went through.

Everything is done as a person does it, with commands that are processes of their own; what they leave is read
with `myvlm-tag sql --json`. What does not live here: what is right and what is wrong (`judge.py`).
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ...schemas.errors import OK, SOME_PHOTOS_FAILED

Record = dict[str, Any]


@dataclass(frozen=True)
class Household:
    """A folder with `sample/` (photos, concepts, truth) and `home/` (what was learnt and found)."""

    folder: Path

    @property
    def sample(self) -> Path:
        """The sample library with its truth (`world.sample.write_sample`)."""
        return self.folder / "sample"

    @property
    def library(self) -> Path:
        """The photos."""
        return self.sample / "library"

    @property
    def home(self) -> Path:
        """What the command line keeps."""
        return self.folder / "home"

    @property
    def concepts(self) -> list[str]:
        """The names of what is taught."""
        return list(self._cast)

    @property
    def objects(self) -> list[str]:
        """The pets and things among them."""
        return [name for name, told in self._cast.items() if told["kind"] != "person"]

    @property
    def _cast(self) -> dict[str, Record]:
        return dict(self._told["concepts"])

    @property
    def _told(self) -> Record:
        path = self.sample / "sample.json"
        return dict(json.loads(path.read_text("utf-8"))) if path.is_file() else {}

    def render(self, seed: int, photos: int) -> None:
        """Write the sample library, unless it is there."""
        told = self._told
        if not told.get("complete") or (told["seed"], told["photos"]) != (seed, photos):
            command("sample", self.sample, "--photos", str(photos), "--seed", str(seed))

    def learn(self) -> None:
        """Learn every concept that isn't yet, from the photos of it."""
        learnt = {row["name"] for row in json.loads(self.tag("concepts", "list", "--json"))}
        for name in self.concepts:
            if name not in learnt:
                self.tag("learn", "--concept", name, self.sample / "concepts" / name)

    def run(self, *options: str) -> Record:
        """Go through the library. Returns the summary."""
        summary: Record = json.loads(self.tag("run", self.library, *options, "--json"))
        return summary

    def sql(self, query: str) -> list[Record]:
        """The rows that `myvlm-tag sql` gives."""
        rows: list[Record] = json.loads(self.tag("sql", query, "--json"))
        return rows

    def tag(self, *arguments: str | Path) -> str:
        """What a command about this home prints. Raises RuntimeError if it fails."""
        return command(*arguments, "--home", self.home)


def command(*arguments: str | Path) -> str:
    """Run the installed `myvlm-tag` and return what it prints; its progress is passed on."""
    program = Path(sys.executable).with_name("myvlm-tag")
    done = subprocess.run([program, *arguments], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode not in (OK, SOME_PHOTOS_FAILED):
        raise RuntimeError(f"myvlm-tag {' '.join(map(str, arguments))} ended with {done.returncode}")
    return done.stdout


@contextmanager
def settled(seed: int, photos: int, folder: Path | None = None) -> Iterator[Household]:
    """A household whose library was rendered, learnt and gone through.

    It is kept if a `folder` is named; what is done there already, by the demo for one, isn't done again.
    """
    with TemporaryDirectory(prefix="myvlm-tag-measure-") as passing:
        household = Household(folder or Path(passing))
        household.render(seed, photos)
        household.learn()
        household.run()
        yield household
