"""`evaluate`: datasets one after the other, heads once, then each vision-language model."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ...schemas.errors import UsageProblem
from ...schemas.settings import Settings
from ...stages.packs import CLIP, Model
from ...stages.vlm import families
from ...stages.vlm.base import Adapter
from ...stages.vlm.recipe import Recipe
from ..given import Say
from ..home import ensure_home
from ..models import fingerprint_of, load_models
from .data import Dataset
from .likeness import Likeness
from .protocol import Protocol
from .subjects import Ready, Sizes, make_ready
from .tables import Tables

TABLES = ("1", "2", "5", "6", "7", "vqa")


@dataclass
class Evaluation:
    """What was measured, and on what."""

    models: str
    vlms: list[str]
    sizes: Sizes
    datasets: list[str] = field(default_factory=list)
    concepts: int = 0
    photos: int = 0  # judged by
    seconds: float = 0.0
    tables: Tables = field(default_factory=Tables)
    recipes: dict[str, Recipe] = field(default_factory=dict)  # how each model learnt, by its name

    def record(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "models": self.models,
            "vlms": self.vlms,
            "recipes": {vlm: asdict(recipe) for vlm, recipe in self.recipes.items()},
            "datasets": self.datasets,
            "concepts": self.concepts,
            "photos": self.photos,
            "training_photos": self.sizes.training,
            "seconds": round(self.seconds, 1),
            **self.tables.record(),
        }


def check_tables(names: str) -> list[str]:
    """The tables that "1,2,vqa" names; all without any. Raises UsageProblem."""
    asked = [name.strip().lower() for name in names.split(",") if name.strip()] or list(TABLES)
    unknown = [name for name in asked if name not in TABLES]
    if unknown:
        raise UsageProblem(f"there is no table {unknown[0]!r}", f"known are: {', '.join(TABLES)}")
    return asked


def evaluate(
    settings: Settings,
    datasets: Iterable[Dataset],
    vlm: str,
    wanted: Sequence[str],
    sizes: Sizes,
    say: Say,
    apart: Path | None = None,
) -> Evaluation:
    """Measure everything in `wanted` (of TABLES) on each dataset, by the models that `vlm` names.

    Nothing is kept: no concept, no row. `apart` is a folder to be made for an empty home, where the person's
    own library and concepts are to have no part in it; models are those of their home all the same. Raises
    UsageProblem, PhotosUnusable, ModelMissing, ModelDamaged.
    """
    started = time.monotonic()
    ensure_home(settings.home)
    models = load_models(settings)
    vlms = families.choose_all(models.pack, vlm or settings.vlm) if set(wanted) != {"7"} else []
    likeness = Likeness(models, settings) if models.pack.of_kind(CLIP) and vlms else None
    done = Evaluation(settings.models, [model.key for model in vlms], sizes)
    learning = settings if apart is None else _empty(settings, apart)
    loaded: dict[str, Adapter] = {}
    for dataset in datasets:
        say(f"{dataset.label}: {len(dataset.subjects)} concepts")
        ready = make_ready(models, learning, dataset, sizes, done.tables, say)
        done.datasets.append(dataset.label)
        done.concepts += len(ready)
        done.photos += sum(len(one.shots) for one in ready)
        for model in vlms:
            say(f"{dataset.label}: {model.key}")
            _judge(_load(loaded, model, settings), model, settings, likeness, wanted, ready, done)
    if "7" not in wanted:
        done.tables.cells.pop("7", None)
    done.seconds = time.monotonic() - started
    return done


def _judge(
    adapter: Adapter,
    model: Model,
    settings: Settings,
    likeness: Likeness | None,
    wanted: Sequence[str],
    ready: Sequence[Ready],
    done: Evaluation,
) -> None:
    """Put one model through it. Nobody holds the adapter afterwards but who loaded it."""
    done.recipes[model.key] = adapter.recipe
    padded = model.settings.get("boxes") == "padded"
    Protocol(adapter, model.key, settings, likeness, wanted, padded).judge(ready, done.tables)


def _empty(settings: Settings, home: Path) -> Settings:
    """The same with a home of its own, which has the models of the person's home and nothing else."""
    ensure_home(home)
    (home / "models").symlink_to(settings.home / "models", target_is_directory=True)
    return replace(settings, home=home)


def _load(loaded: dict[str, Adapter], model: Model, settings: Settings) -> Adapter:
    """The adapter; one stays in memory, so that several large models never stand there together."""
    if model.key not in loaded:
        loaded.clear()
        gc.collect()
        loaded[model.key] = families.load(model, settings.home, fingerprint_of(model, settings))
    return loaded[model.key]
