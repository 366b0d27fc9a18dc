"""How long learning takes, as a person does it: through the installed command line, start-up included."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from itertools import product
from pathlib import Path
from typing import Any

from myvlm_tag.stages.packs import find_pack
from myvlm_tag.stages.vlm.families import speaks
from myvlm_tag.world.sample import write_sample

from .common import Sizes, figure

_BAR = 20.0  # seconds on two cores


def learning_a_person_and_a_thing(sizes: Sizes, folder: Path) -> None:
    """A person and a thing, five photos each, with each model of the pack: seconds in all, and of parts."""
    sample = write_sample(folder / "sample", 1, 11, False)
    _tag("models", "list", "--home", folder)  # what is read for the first time is slow, whoever reads it
    models = [model.key for model in find_pack(sizes.models).models if speaks(model)]
    subjects = (("a person", sample.people[0]), ("a thing", sample.things[0]))
    for vlm, (kind, name) in product(models, subjects):
        where: list[str | Path] = ["--home", folder / vlm, "--models", sizes.models, "--vlm", vlm]
        started, worked = time.perf_counter(), _processor_seconds()
        told = _tag("learn", "--concept", name, sample.out / "concepts" / name, *where)
        whole, work = time.perf_counter() - started, _processor_seconds() - worked
        parts = _parts(json.loads(told))
        figure(f"learning {kind} with {vlm}, seconds", whole, f"<= {_BAR:g} on two cores")
        figure("  seconds / bar", whole / _BAR, "<= 1")
        figure("  processor seconds / those of two cores until the bar", work / (2 * _BAR))
        figure("  of it: start-up, reading the photos, loading models", whole - sum(parts.values()))
        for part, seconds in parts.items():
            figure(f"  of it: {part}", seconds)


def _processor_seconds() -> float:
    """What all processes that were started and have ended worked: a busy machine doesn't change it much."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _parts(concept: dict[str, Any]) -> dict[str, float]:
    """The seconds that `learn` counts by itself."""
    (info,) = concept["embeddings"].values()
    return {"head": concept["head"]["seconds"], **info["seconds"]}


def _tag(*arguments: str | Path) -> str:
    program = Path(sys.executable).with_name("myvlm-tag")
    done = subprocess.run([program, *arguments, "--json"], capture_output=True, text=True, check=True)
    return done.stdout
