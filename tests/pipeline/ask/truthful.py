"""Catalogs whose rows are written by hand or from a sample's truth: what the views tell is then known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from myvlm_tag.pipeline.catalog import Catalog
from myvlm_tag.pipeline.concepts import Concepts
from myvlm_tag.schemas.concept import RECORD, Check, Concept, HeadInfo
from myvlm_tag.schemas.paths import to_text
from myvlm_tag.schemas.tables import TABLES
from myvlm_tag.world.measure.queries import Scene, read_scenes
from myvlm_tag.world.sentences import WHERE_PHRASES
from myvlm_tag.world.truth import article

RUN = "01RUN"
FACES, CLIP = "faces x", "clip x"
_MIDDLES = {"on the left": 600.0, "on the right": 3400.0}  # of a face, in a photo 4000 pixels wide


def write_home(
    home: Path, photos: Sequence[Mapping[str, Any]], concepts: Mapping[str, tuple[str, str]]
) -> Path:
    """A home with these photos and concepts (name -> class word, kind).

    A photo has a path and may have taken_at, camera, faces, caption, latitude, longitude, and `sees`:
    concept -> answers by topic.
    """
    for name, (class_word, kind) in concepts.items():
        _write_concept(home, name, class_word, kind)
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES}
    for number, photo in enumerate(photos):
        photo_id = photo.get("photo_id", f"{number:032x}")
        _photo_rows(rows, photo_id, photo, concepts)
    catalog = Catalog(home / "catalog")
    catalog.prepare()
    catalog.commit({name: pa.Table.from_pylist(some, TABLES[name]) for name, some in rows.items()})
    return home


def _photo_rows(
    rows: dict[str, list[dict[str, Any]]],
    photo_id: str,
    photo: Mapping[str, Any],
    concepts: Mapping[str, Any],
) -> None:
    same = {"photo_id": photo_id, "run_id": RUN}
    make, _, model = (photo.get("camera") or "").rpartition(" ")
    exif = {name: photo.get(name) for name in ("taken_at", "latitude", "longitude")}
    camera = {"camera_make": make or None, "camera_model": model or None}
    rows["photos"].append({**same, **exif, **camera, "width": 4000, "height": 3000, "made_by": "decode"})
    for path in (photo["path"], *photo.get("copies", ())):
        rows["files"].append({**same, "path": path, "size": 1, "mtime_ns": 0, "root": "/", "gone": False})
    sees = photo.get("sees", {})
    faces = photo.get("faces", sum(concepts[name][1] == "person" for name in sees))
    for stage, items, made_by in (("decode", 1, "decode"), ("faces", faces, FACES), ("clip", 1, CLIP)):
        rows["features"].append({**same, "stage": stage, "items": items, "made_by": made_by})
    versions = {name: f"{name} v1 on {FACES if concepts[name][1] == 'person' else CLIP}" for name in sees}
    told = {"concepts": list(sees), "identifiers": list(sees), "versions": list(versions.values())}
    told |= {"settings": "s", "made_by": "vlm x"}
    for face, (name, answers) in enumerate(sees.items()):
        person = concepts[name][1] == "person"
        middle = _MIDDLES.get(answers.get("where", ""), 2000.0)
        box = {"x0": middle - 50, "y0": 500.0, "x1": middle + 50, "y1": 600.0}
        if person:
            rows["faces"].append({**same, "face": face, **box, "score": 0.9, "made_by": FACES})
        rows["detections"].append(
            {
                **same, "concept": name, "score": 0.9, "threshold": 0.5, "hit": True,
                "face": face if person else None, "made_by": versions[name],
            }
        )  # fmt: skip
        for topic, answer in answers.items():
            question = {"topic": topic, "question": "What of {}?", "answer": answer}
            rows["answers"].append({**same, "concept": name, **question, **told})
    if photo.get("caption"):
        rows["captions"].append({**same, "caption": photo["caption"], **told})


def home_of_sample(home: Path, sample: Path) -> Path:
    """A home in which everything is found and told as it truly is in a sample library."""
    scenes = read_scenes(sample)
    concepts = {}
    photos = []
    for scene in scenes:
        paths = [to_text(sample.absolute() / "library") + "/" + file for file in scene.files]
        sees = {}
        for name, row in scene.shown.items():
            kind = "person" if row["kind"] == "person" else "object"
            concepts[name] = (row["category"], kind)
            sees[name] = {
                "where": WHERE_PHRASES[row["where"]], "next_to": row["next_to"], "color": row["color"],
                "doing": row["doing"],
            }  # fmt: skip
            if kind == "person":
                sees[name]["wearing"] = article(f"{row['color']} {row['garment']}")
        told = {"caption": scene.caption} if sees else {}
        photos.append(
            {
                "path": min(paths), "copies": sorted(paths)[1:], "taken_at": scene.taken_at, "sees": sees,
                "camera": scene.camera and f"Make {scene.camera}", "faces": scene.faces, **told,
            }
        )  # fmt: skip
    return write_home(home, photos, concepts)


def _write_concept(home: Path, name: str, class_word: str, kind: Any) -> None:
    concept = Concept(
        name=name, identifier=name, kind=kind, class_word=class_word, why="by hand", version=1,
        created="2025-01-01T00:00:00+00:00", photos=(), head=HeadInfo("x", 0.5, 1), check=Check(0, 0, 0, 0),
        embeddings={},
    )  # fmt: skip
    folder = Concepts(home).path(name)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / RECORD).write_text(concept.to_json(), "utf-8")


__all__ = ["Scene", "home_of_sample", "write_home"]
