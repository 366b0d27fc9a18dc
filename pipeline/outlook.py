"""What a run would do, for how many photos, and why: `run --dry-run` and `status`.

Only reads, and loads no model. What a new photo shows is not known before it was read, so heads and tell
count known photos only.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ..schemas.paths import from_text, to_text
from ..schemas.settings import Settings
from ..schemas.tables import FILES
from ..stages.scan import walk
from . import heads, plan, tell
from .catalog import Catalog
from .concepts import Concepts
from .home import check_apart, check_name
from .models import Models, load_models

_NAMED = 3  # concepts, in a line


def outlook(roots: Sequence[Path], settings: Settings, only: str = "", concept: str = "") -> dict[str, Any]:
    """Return what a run with the same arguments would do.

    Raises UsageProblem, LibraryMissing, ModelMissing or ConceptMissing, as that run would.
    """
    plan.check_pipeline(only)
    check_name(settings.home)
    check_apart(settings.home, roots)
    concept = concept and Concepts(settings.home).find(concept).name
    catalog, models = Catalog(settings.catalog), load_models(settings)
    names = [to_text(os.path.abspath(root)) for root in roots]
    ahead: dict[str, Any] = {"roots": names, "notes": []}
    if only in ("", "features"):
        ahead |= _features(settings, catalog, models, names)
    if only in ("", "heads"):
        ahead["heads"] = _heads(catalog, settings, concept)
    if only in ("", "tell"):
        tellings = tell.prepare(settings, models, ahead["notes"].append)
        ahead["tell"] = _tell(catalog, tellings, names, concept)
    return ahead


def _features(settings: Settings, catalog: Catalog, models: Models, roots: Sequence[str]) -> dict[str, Any]:
    known = plan.known_files(catalog) if catalog.exists else FILES.empty_table()
    known = known.filter(pc.is_valid(known["size"]))
    found = walk([from_text(root) for root in roots], known, settings.home)
    stages = (
        plan.missing(catalog, models.wanted, roots)["stages"] if catalog.exists else pa.array([], pa.string())
    )
    return {
        "files": {"new": found.new, "changed": found.changed, "gone": found.gone},
        "features": _counted(pc.binary_join_element_wise("no", stages, "yet", " ")),
    }


def _heads(catalog: Catalog, settings: Settings, concept: str) -> dict[str, Any]:
    photos: set[str] = set()
    why = {}
    for group in heads.groups(settings, concept) if catalog.exists else []:
        lacking = heads.lacking(catalog, group)["photo_id"].to_pylist()
        photos.update(lacking)
        names = [one.concept.name for one in group.kept]
        more = [f"and {len(names) - _NAMED} more"] if len(names) > _NAMED else []
        if lacking:
            why[f"not scored for {', '.join([*names[:_NAMED], *more])}"] = len(lacking)
    return {"photos": len(photos), "why": why}


def _tell(
    catalog: Catalog, tellings: Sequence[tell.Telling], roots: Sequence[str], concept: str
) -> dict[str, Any]:
    photos = 0
    why: dict[str, int] = {}
    for telling in tellings if catalog.exists else ():
        counted = _counted(tell.missing(catalog, telling, roots, concept)["why"])
        by = f" by {telling.tell.model.key}" if len(tellings) > 1 else ""
        photos += counted["photos"]
        why |= {reason + by: count for reason, count in counted["why"].items()}
    return {"photos": photos, "why": why}


def _counted(reasons: pa.ChunkedArray) -> dict[str, Any]:
    counts = {entry["values"]: entry["counts"] for entry in reasons.value_counts().to_pylist()}
    return {"photos": len(reasons), "why": counts}


def lines(ahead: dict[str, Any]) -> list[str]:
    """Return it in words, a line per step."""
    said = []
    if files := ahead.get("files"):
        said.append(f"scan: {files['new']:,} new files, {files['changed']:,} changed, {files['gone']:,} gone")
    for step in plan.PIPELINES:
        if step in ahead:
            why = ", ".join(f"{count:,} {reason}" for reason, count in sorted(ahead[step]["why"].items()))
            said.append(f"{step}: {ahead[step]['photos']:,} photos" + (f" ({why})" if why else ""))
    return [*said, *ahead["notes"]]
