"""Which adapter speaks for which model of a pack. A new family is one file and one line here."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from ...schemas.errors import UsageProblem
from ...schemas.settings import AUTO
from ..packs import VLM, Model, Pack, locate, named
from .base import Adapter
from .recipe import changed
from .wording import BLIP2, LLAVA, MINIGPT_V2, Wording

#: Module and class of each family's adapter, and its wording, which is known here without torch.
_FAMILIES: dict[str, tuple[str, str, Wording]] = {
    "llava": ("llava", "Llava", LLAVA),
    "blip2": ("blip2", "Blip2", BLIP2),
    "minigpt_v2": ("minigpt_v2", "MiniGPTv2", MINIGPT_V2),
}


def speaks(model: Model) -> bool:
    """Whether there is an adapter for the model."""
    return model.kind == VLM and _family(model.key) in _FAMILIES


def _family(key: str) -> str:
    """A pack may have several models of a family: "llava" and "llava-13b"."""
    return key if key in _FAMILIES else key.partition("-")[0]


def choose(pack: Pack, name: str = "") -> Model:
    """The pack's model of that name, by default its first that has an adapter. Raises UsageProblem."""
    models = [model for model in pack.models if speaks(model)]
    found = named(models, name) if name else next(iter(models), None)
    if found is not None:
        return found
    there = ", ".join(model.key for model in models) or "none"
    wanted = f"vision-language model {name!r}" if name else "vision-language model that can learn concepts"
    raise UsageProblem(f"the model pack {pack.name} has no {wanted}", f"there is: {there}")


def wording(model: Model) -> Wording:
    """How the model wants to be asked."""
    return _FAMILIES[_family(model.key)][2]


def choose_all(pack: Pack, names: str = "") -> list[Model]:
    """The pack's models of these names ("blip2, llava"), each once; without any, the one `choose` gives.

    Raises UsageProblem.
    """
    asked = [name.strip() for name in names.split(",") if name.strip()] or [""]
    return list({model.key: model for model in (choose(pack, name) for name in asked)}.values())


def telling(pack: Pack, names: str = "") -> list[Model]:
    """The models that tell, as `choose_all` gives them; none where none is named and none has an adapter.

    Raises UsageProblem.
    """
    return choose_all(pack, names) if names or any(map(speaks, pack.models)) else []


def grounding(models: Sequence[Model], name: str = AUTO) -> Model | None:
    """Which of the models that tell is asked for boxes: the one named, or that which the pack trusts most.

    The pack says so by a number for each model, `grounds`; one without has 1. None where no model writes
    boxes. Raises UsageProblem if the one named doesn't, or doesn't tell.
    """
    able = [model for model in models if wording(model).points]
    if name == AUTO:
        return max(able, key=lambda model: float(model.settings.get("grounds", 1)), default=None)
    found = named(able, name)
    if found is not None:
        return found
    there = ", ".join(model.key for model in able) or "none"
    raise UsageProblem(f"{name!r} is not among the models that tell and write boxes", f"there is: {there}")


def version(model: Model, fingerprint: str) -> str:
    """What rows and concepts name as made by a model whose content has that fingerprint."""
    return f"{model.key} {fingerprint}"


def load(model: Model, home: Path, fingerprint: str) -> Adapter:
    """Load a model that `choose` gave; `fingerprint` names its content."""
    module, name, _ = _FAMILIES[_family(model.key)]
    kind = getattr(import_module(f".{module}", __package__), name)
    made: Adapter = kind(locate(model, home), version(model, fingerprint))
    made.recipe = changed(made.recipe, model.settings)
    return made
