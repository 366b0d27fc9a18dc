"""Which adapter speaks for which model of a pack. A new family is one file and one line here."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from ...schemas.errors import UsageProblem
from ..packs import VLM, Model, Pack, locate
from .base import Adapter

_ADAPTERS = {"llava": "llava:Llava"}


def speaks(model: Model) -> bool:
    """Whether there is an adapter for the model."""
    return model.kind == VLM and model.key in _ADAPTERS


def choose(pack: Pack, name: str = "") -> Model:
    """The pack's model of that name, by default its first that has an adapter. Raises UsageProblem."""
    models = {model.key: model for model in pack.models if speaks(model)}
    if name in models:
        return models[name]
    if models and not name:
        return next(iter(models.values()))
    there = ", ".join(models) or "none"
    wanted = f"vision-language model {name!r}" if name else "vision-language model that can learn concepts"
    raise UsageProblem(f"the model pack {pack.name} has no {wanted}", f"there is: {there}")


def load(model: Model, home: Path, fingerprint: str) -> Adapter:
    """Load a model that `choose` gave; `fingerprint` names its content."""
    module, _, adapter = _ADAPTERS[model.key].partition(":")
    made: Adapter = getattr(import_module(f".{module}", __package__), adapter)(
        locate(model, home), fingerprint
    )
    return made
