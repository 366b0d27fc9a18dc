"""Which models a run uses: the pack's stages and their fingerprints; what `models` lists, checks and fetches.

Nothing is loaded here; stages load their models in the workers.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..schemas.errors import UsageProblem
from ..schemas.paths import to_text
from ..schemas.settings import Settings
from ..stages.base import Stage
from ..stages.clip import Clip
from ..stages.codecs import Limits
from ..stages.decode import Decode
from ..stages.faces import Faces
from ..stages.packs import CLIP, FACES, PACKS, Model, Pack, find_pack, folder_of, locate, missing_files, named
from ..stages.weights import fingerprint, pull, verify
from .home import ensure_home
from .plan import Wanted
from .views import Answer


@dataclass(frozen=True)
class Models:
    """A pack and its stages of the features pipeline, in order; decode is always the first."""

    pack: Pack
    stages: Sequence[Stage]

    @property
    def wanted(self) -> Wanted:
        """What each photo should have gone through."""
        return Wanted(
            {stage.name: stage.made_by for stage in self.stages},
            {stage.name: stage.tried_by for stage in self.stages},
        )

    def stages_for(self, lacking: Collection[str]) -> list[Stage]:
        """Return the stages to run for photos that lack `lacking`: those, and decode before them."""
        return [stage for stage in self.stages if stage.name in lacking or stage.name == Decode.name]


def load_models(settings: Settings) -> Models:
    """Find the pack that `settings.models` names; a pack without faces or CLIP does without that stage.

    Raises UsageProblem if there is no such pack, ModelMissing with the command that gets its files.
    """
    pack = find_pack(settings.models)
    limits = Limits(settings.max_file_bytes, settings.max_pixels, settings.decode_side)
    stages: list[Stage] = [Decode(limits, settings.decoder)]
    for kind, stage in ((FACES, Faces), (CLIP, Clip)):
        stages += [
            stage(model, settings.home, fingerprint_of(model, settings)) for model in pack.of_kind(kind)[:1]
        ]
    return Models(pack, stages)


def fingerprint_of(model: Model, settings: Settings) -> str:
    """Return what names a model's content; a model whose files are as they were isn't read again.

    Raises ModelMissing.
    """
    folder = locate(model, settings.home)
    return fingerprint(folder, settings.home / "models" / "fingerprints.json")


def list_models(settings: Settings) -> Answer:
    """Return one row per model of every pack: licence, megabytes to download, folder, whether it's there."""
    rows: list[tuple[Any, ...]] = []
    for pack in {**PACKS, settings.models: find_pack(settings.models)}.values():
        for model in pack.models:
            folder = folder_of(model, settings.home)
            there = folder.is_dir() and not missing_files(model, folder)
            rows.append(
                (pack.name, model.kind, model.key, model.licence, model.megabytes, there, to_text(folder))
            )
    return Answer(["pack", "kind", "model", "licence", "megabytes", "there", "folder"], rows)


def verify_models(settings: Settings, only: str = "") -> tuple[Answer, bool]:
    """Return one row per model of the pack, and whether they are all there and whole.

    `only` names some of its models. Raises UsageProblem if the pack has no such model.
    """
    pack = _part(find_pack(settings.models), only)
    verdicts = verify(pack, settings.home)
    rows: list[tuple[Any, ...]] = [
        (
            pack.name,
            found.model.kind,
            found.model.key,
            found.present,
            round(found.megabytes, 1),
            found.problem or "fine",
        )
        for found in verdicts
    ]
    return Answer(["pack", "kind", "model", "there", "megabytes", "verdict"], rows), not any(
        found.problem for found in verdicts
    )


def pull_models(
    settings: Settings, agree: Callable[[str], bool], say: Callable[[str], None], only: str = ""
) -> list[Path]:
    """Fetch what the pack lacks, each model after `agree` saw its licence and size; return the folders.

    `only` names some of its models ("buffalo_l,llava"). Raises UsageProblem if the pack has no such model.
    """
    pack = _part(find_pack(settings.models), only)
    ensure_home(settings.home)

    def asked(model: Model) -> bool:
        return agree(f"{model.key} ({model.kind}): {model.megabytes:,} MB, licence: {model.licence}")

    return pull(pack, settings.home, asked, say)


def _part(pack: Pack, names: str) -> Pack:
    """The pack with its models of these names alone; without any, all of it."""
    if not names:
        return pack
    asked = [name.strip() for name in names.split(",") if name.strip()]
    found = [named(pack.models, name) for name in asked]
    for name, model in zip(asked, found, strict=True):
        if model is None:
            there = ", ".join(model.key for model in pack.models)
            raise UsageProblem(f"the model pack {pack.name} has no model {name!r}", f"there is: {there}")
    return replace(pack, models=tuple(model for model in pack.models if model in found))
