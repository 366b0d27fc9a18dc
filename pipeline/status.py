"""`status`, `failures` and `doctor`: what is there, what a run would do, and whether this machine is fit.

Only reads. Needs neither torch nor Ray.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
from pathlib import Path
from typing import Any

from ..schemas.errors import HomeUnusable, ModelMissing, MyvlmTagError
from ..schemas.paths import from_text, to_text
from ..schemas.settings import Settings, config_path
from ..schemas.tables import TABLES
from ..stages.packs import CLIP, FACES, find_pack, locate
from ..stages.vlm import families
from . import outlook
from .catalog import Catalog
from .cluster import gpu_seen
from .home import check_name
from .models import load_models
from .views import Answer, connect, query

_LIBRARIES = (
    "torch",
    "open_clip_torch",
    "transformers",
    "ray",
    "insightface",
    "onnxruntime",
    "faiss-cpu",
    "duckdb",
    "pyarrow",
    "pillow",
    "pillow-heif",
    "exifread",
)
#: What takes their place where there is a GPU (the extra `gpu`, ray_cluster.yaml).
_WITH_GPU = {"onnxruntime": "onnxruntime-gpu", "faiss-cpu": "faiss-gpu-cu12"}

_COUNTS = """
SELECT (SELECT count(*) FROM files) AS files, (SELECT count(*) FROM photos) AS photos,
       (SELECT count(*) FROM faces) AS faces, (SELECT count(*) FROM clip) AS clip,
       (SELECT count(*) FROM captions) AS captions, (SELECT count(*) FROM answers) AS answers,
       (SELECT count(*) FROM failures) AS failures, (SELECT max(run_id) FROM all_files) AS last_change
"""

_FAILURES = "SELECT path, stage, kind, reason, run_id FROM failures ORDER BY path"


def status(roots: list[Path], settings: Settings) -> dict[str, Any]:
    """Return counts of what is there, and of what a run over `roots` (default: all known ones) would do."""
    catalog = Catalog(settings.catalog)
    there: dict[str, Any] = {"home": to_text(settings.home), "models": settings.models}
    there |= query(catalog, _COUNTS).records()[0]
    there["segments"] = len(catalog.segments())
    there["bytes"] = sum(path.stat().st_size for path in settings.catalog.rglob("*") if path.is_file())
    with connect(catalog) as connection:
        known_roots = [row[0] for row in connection.execute("SELECT DISTINCT root FROM files").fetchall()]
    names = [to_text(os.path.abspath(root)) for root in roots] or sorted(known_roots)
    return {"there": there, "roots": [_ahead(name, settings) for name in names]}


def _ahead(root: str, settings: Settings) -> dict[str, Any]:
    try:
        return {"root": root, **outlook.outlook([Path(from_text(root))], settings)}
    except MyvlmTagError as error:
        return {"root": root, "problem": str(error)}


def status_lines(found: dict[str, Any]) -> list[str]:
    """Return `status` in words."""
    there = found["there"]
    lines = [
        f"{there['home']}: {there['photos']:,} photos in {there['files']:,} files, {there['faces']:,} faces,"
        f" {there['captions']:,} captions, {there['failures']:,} failures; {there['segments']} segments,"
        f" {there['bytes'] / 1e6:,.1f} MB",
    ]
    for root in found["roots"]:
        lines.append(f"{root['root']}, by the next run:")
        lines += [f"  {line}" for line in ([root["problem"]] if "problem" in root else outlook.lines(root))]
    return lines


def failures(settings: Settings) -> Answer:
    """Return one row per file that could not be done: path, stage, kind, reason, run_id."""
    return query(Catalog(settings.catalog), _FAILURES)


def doctor(settings: Settings) -> tuple[dict[str, Any], list[str]]:
    """Return facts about this machine and installation, and the problems found among them."""
    problems: list[str] = []
    facts: dict[str, Any] = {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "config": f"{to_text(config_path())}{'' if config_path().exists() else ' (none)'}",
        "cpus": os.cpu_count(),
        "gpu": "NVIDIA" if gpu_seen() else "none seen (everything runs on the CPU)",
        **_libraries(problems),
        **_memory(problems),
        **_home(settings.home, problems),
        **_models(settings, problems),
    }
    return facts, problems


def _libraries(problems: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in _LIBRARIES:
        installed = {one: _version(one) for one in (name, _WITH_GPU.get(name, name))}
        versions = {one: version for one, version in installed.items() if version}
        found |= versions or {name: "missing"}
        if not versions:
            problems.append(f"{name} isn't installed: pip install {name}")
    return found


def _version(library: str) -> str:
    """Of an installed library; empty if it isn't."""
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _memory(problems: list[str]) -> dict[str, str]:
    import psutil

    memory = psutil.virtual_memory()
    if memory.available < 2 << 30:
        problems.append(
            f"only {memory.available / 1e9:.1f} GB of memory are free: use fewer workers (--workers 1)"
        )
    return {"memory": f"{memory.available / 1e9:.1f} of {memory.total / 1e9:.1f} GB free"}


def _home(home: Path, problems: list[str]) -> dict[str, str]:
    there = home
    while not there.exists():
        there = there.parent
    free = shutil.disk_usage(there).free
    if not os.access(there, os.W_OK):
        problems.append(f"{to_text(there)} can't be written: name another home with --home")
    if free < 1 << 30:
        problems.append(f"only {free / 1e9:.1f} GB are free for {to_text(home)}")
    facts = {"home": to_text(home), "disk": f"{free / 1e9:.1f} GB free"}
    try:
        check_name(home)
    except HomeUnusable as error:
        problems.append(str(error))
        return facts
    if home.exists():
        mode = home.stat().st_mode & 0o777
        facts["permissions"] = f"{mode:o}"
        if mode & 0o077:
            problems.append(f"others can read {to_text(home)}: chmod 700 {to_text(home)}")
        facts["catalog"] = _catalog_state(Catalog(home / "catalog"), problems)
    return facts


def _catalog_state(catalog: Catalog, problems: list[str]) -> str:
    if not catalog.exists:
        return "none yet"
    try:
        for name in TABLES:
            catalog.read(name, columns=["run_id"])
    except MyvlmTagError as error:
        problems.append(str(error))
        return "damaged"
    return f"{len(catalog.segments())} segments, readable"


def _models(settings: Settings, problems: list[str]) -> dict[str, str]:
    """What a run would use; each of its models that isn't there is a problem."""
    try:
        pack = find_pack(settings.models)
        vlms = families.telling(pack, settings.vlm)
    except MyvlmTagError as error:
        problems.append(str(error))
        return {"models": f"{settings.models}: unusable"}
    lacking = []
    for model in (*pack.of_kind(FACES)[:1], *pack.of_kind(CLIP)[:1], *vlms):
        try:
            locate(model, settings.home)
        except ModelMissing as error:
            lacking.append(str(error))
    problems += lacking
    if lacking:
        return {"models": f"{settings.models}: incomplete"}
    used = [*(stage.made_by for stage in load_models(settings).stages), *(vlm.key for vlm in vlms)]
    return {"models": f"{settings.models}: {', '.join(used)}"}
