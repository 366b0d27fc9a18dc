"""How long questions take over a large catalog, against the same rows in SQLite with indexes."""

from __future__ import annotations

import sqlite3
import statistics
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from myvlm_tag.pipeline.ask.clauses import Named
from myvlm_tag.pipeline.ask.compile import Compiler
from myvlm_tag.pipeline.ask.parse import parse
from myvlm_tag.pipeline.ask.tokens import Known
from myvlm_tag.pipeline.catalog import Catalog
from myvlm_tag.pipeline.kept import refresh
from myvlm_tag.pipeline.views import query
from myvlm_tag.schemas.tables import FACE_DIM, TABLES

from .common import Sizes, figure

_FACES_EACH = 3  # faces to a photo
_PEOPLE, _THINGS = 12, 8
_CAMERAS = ("iPhone 8", "Pixel 3a", "EOS 700D", "DMC-TZ41")
_COLORS = ("red", "blue", "green", "yellow", "white", "black", "orange", "purple", "pink", "brown")
_GARMENTS = ("shirt", "sweater", "jacket", "coat", "dress")
_DEEDS = ("standing", "sitting", "waving", "walking", "holding a mug")
_PLACES = ("on the beach", "in the park", "on the street", "in the snow", "in the kitchen")
_NOW = datetime(2025, 6, 1)
_TIMES = 5

#: What is asked, and the same in SQLite's words over its tables.
_QUESTIONS = {
    "Anna": "photo_id IN (SELECT photo_id FROM sightings WHERE concept = 'Anna')",
    "Anna and Ben in July 2016": "photo_id IN (SELECT photo_id FROM sightings WHERE concept = 'Anna')"
    " AND photo_id IN (SELECT photo_id FROM sightings WHERE concept = 'Ben')"
    " AND taken_at >= '2016-07-01' AND taken_at < '2016-08-01'",
    "photos where Anna is wearing red": "photo_id IN (SELECT photo_id FROM sightings WHERE concept = 'Anna'"
    " AND ' ' || wearing || ' ' LIKE '% red %')",
    "Anna on the beach": "photo_id IN (SELECT photo_id FROM sightings WHERE concept = 'Anna')"
    " AND photo_id IN (SELECT photo_id FROM captions WHERE ' ' || caption || ' ' LIKE '% beach %')",
    "photos on the beach": "photo_id IN (SELECT photo_id FROM captions"
    " WHERE ' ' || caption || ' ' LIKE '% beach %')",
    "three people taken with the Pixel": "faces = 3 AND camera_model LIKE '%Pixel%'",
    "someone wearing a blue coat": "photo_id IN (SELECT photo_id FROM sightings WHERE"
    " ' ' || wearing || ' ' LIKE '% blue %' AND ' ' || wearing || ' ' LIKE '% coat %')"
    " OR photo_id IN (SELECT photo_id FROM captions WHERE ' ' || caption || ' ' LIKE '% blue coat %')",
    "how many photos of Ben in summer": "photo_id IN (SELECT photo_id FROM sightings WHERE concept = 'Ben')"
    " AND CAST(strftime('%m', taken_at) AS INT) BETWEEN 6 AND 8",
}


def questions_over_a_library(sizes: Sizes, folder: Path) -> None:
    """Questions over many photos with three times the faces, against SQLite indexed, same rows."""
    catalog = _catalog(folder, sizes.files)
    started = time.perf_counter()
    refresh(catalog)
    figure(f"keeping the rows of {sizes.files:,} photos after a run, seconds", time.perf_counter() - started)
    rows = _sqlite(catalog, folder / "rows.sqlite")
    known = Known([Named("Anna", "woman"), Named("Ben", "boy")], _CAMERAS)
    ratios, slowest = [], 0.0
    for sentence, where in _QUESTIONS.items():
        here, found = _timed(partial(_ask, catalog, known, sentence))
        there, same = _timed(partial(_ask_sqlite, rows, where, "how many" in sentence))
        assert found == same, (sentence, found, same)
        ratios.append(here / there)
        slowest = max(slowest, here)
        figure(f"{sentence!r}, ms, and / SQLite {here / there:.2f}", 1000 * here)
    figure("slowest question, seconds", slowest, "<= 1")
    figure("question / the same asked of SQLite, median", statistics.median(ratios))


def _ask(catalog: Catalog, known: Known, sentence: str) -> int:
    answer = query(catalog, Compiler(known.concepts).question(parse(sentence, known, _NOW)))
    return int(answer.rows[0][0]) if answer.columns == ["photos"] else len(answer.rows)


def _ask_sqlite(rows: sqlite3.Connection, where: str, counted: bool) -> int:
    if counted:
        return int(rows.execute(f"SELECT count(*) FROM photos WHERE {where}").fetchone()[0])
    told = "SELECT photo_id, path, taken_at, caption FROM photos LEFT JOIN captions USING (photo_id)"
    return len(rows.execute(f"{told} WHERE {where} ORDER BY taken_at, path").fetchall())


def _timed(ask: Callable[[], int]) -> tuple[float, int]:
    """The median of a few runs, the first (a cold cache) left out; and how many rows there were."""
    found = ask()
    seconds = []
    for _ in range(_TIMES):
        started = time.perf_counter()
        ask()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds), found


def _sqlite(catalog: Catalog, file: Path) -> sqlite3.Connection:
    """The same rows in SQLite, with the indexes one would make."""
    connection = sqlite3.connect(file)
    for table, columns in {
        "photos": ("photo_id", "path", "taken_at", "faces", "camera_model"),
        "captions": ("photo_id", "caption"),
        "sightings": ("photo_id", "concept", "wearing", "doing"),
    }.items():
        told = query(catalog, f"SELECT {', '.join(columns)} FROM {table}").rows
        connection.execute(f"CREATE TABLE {table} ({', '.join(columns)})")
        rows = [[one.isoformat(" ") if isinstance(one, datetime) else one for one in row] for row in told]
        connection.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(columns))})", rows)
        connection.execute(f"CREATE INDEX {table}_photo ON {table} (photo_id)")
    connection.execute("CREATE INDEX photos_taken ON photos (taken_at)")
    connection.execute("CREATE INDEX photos_faces ON photos (faces)")
    connection.execute("CREATE INDEX sightings_concept ON sightings (concept, photo_id)")
    connection.execute("ANALYZE")
    connection.commit()
    return connection


def _catalog(folder: Path, photos: int) -> Catalog:
    """Made-up rows: two people in a fifth of the photos each, all others in a twentieth."""
    rng = np.random.default_rng(0)
    ids = np.array([f"{number * 2654435761 % 2**32:08x}{number:024x}" for number in range(photos)])
    days = np.sort(rng.uniform(0, 15 * 365, photos))
    taken_at = [datetime(2010, 1, 1) + timedelta(seconds=int(86_400 * day)) for day in days]
    who = np.sort(rng.integers(0, photos, _FACES_EACH * photos))
    counts = np.bincount(who, minlength=photos)
    face = np.arange(len(who)) - np.repeat(np.cumsum(counts) - counts, counts)
    vectors = pa.py_buffer(rng.normal(size=(len(who), FACE_DIM)).astype(np.float16).tobytes())
    embedding = pa.FixedSizeBinaryArray.from_buffers(pa.binary(2 * FACE_DIM), len(who), [None, vectors])
    stages = {"decode": np.ones(photos), "faces": counts, "clip": np.ones(photos)}
    catalog = Catalog(folder / "catalog")
    catalog.prepare()
    catalog.commit(
        {
            "photos": _rows(
                "photos", photo_id=ids, taken_at=taken_at, camera_model=rng.choice(_CAMERAS, photos),
                made_by="decode",
            ),
            "files": _rows(
                "files", photo_id=ids, path=[f"/photos/{n // 1000:04}/IMG_{n:06}.jpg" for n in range(photos)],
                size=np.ones(photos), mtime_ns=np.ones(photos), root="/photos", gone=np.zeros(photos, bool),
            ),
            "faces": _rows("faces", photo_id=ids[who], face=face, embedding=embedding, made_by="faces x"),
            "features": pa.concat_tables(
                _rows("features", photo_id=ids, stage=stage, items=items, made_by=f"{stage} x")
                for stage, items in stages.items()
            ),
            **_found(rng, ids),
        }
    )  # fmt: skip
    return catalog


def _found(rng: np.random.Generator, ids: np.ndarray) -> dict[str, pa.Table]:
    """Detections of every concept on every photo; captions and answers where there are hits."""
    names = [
        "Anna",
        "Ben",
        *(f"person {n}" for n in range(_PEOPLE - 2)),
        *(f"thing {n}" for n in range(_THINGS)),
    ]
    detections, answers = [], []
    captions: dict[str, str] = {}
    versions: dict[str, list[str]] = {}
    for number, name in enumerate(names):
        made_by = f"{name} v1 on {'faces' if number < _PEOPLE else 'clip'} x"
        score = rng.random(len(ids)).astype(np.float32)
        hit = score > (0.8 if number < 2 else 0.95)
        detections.append(
            _rows("detections", photo_id=ids, concept=name, score=score, hit=hit, made_by=made_by)
        )
        seen = ids[hit]
        worn = [
            f"a {c} {g}"
            for c, g in zip(rng.choice(_COLORS, len(seen)), rng.choice(_GARMENTS, len(seen)), strict=True)
        ]
        done = rng.choice(_DEEDS, len(seen))
        for photo, clothes, deed in zip(seen, worn, done, strict=True):
            place = _PLACES[int(photo[-4:], 16) % len(_PLACES)]
            captions[photo] = f"{name} wearing {clothes} {deed} {place}"
            versions.setdefault(photo, []).append(made_by)
        told = {"concepts": [[name]] * len(seen), "versions": [[made_by]] * len(seen), "made_by": "vlm x"}
        for topic, answer in (("wearing", worn), ("doing", done)):
            answers.append(_rows("answers", photo_id=seen, concept=name, topic=topic, answer=answer, **told))
    told = {"versions": list(versions.values()), "made_by": "vlm x"}
    return {
        "detections": pa.concat_tables(detections),
        "answers": pa.concat_tables(answers),
        "captions": _rows("captions", photo_id=list(captions), caption=list(captions.values()), **told),
    }


def _rows(table: str, **columns: Any) -> pa.Table:
    """Rows of a table; one string stands in every row, what is not given is null."""
    count = next(len(column) for column in columns.values() if not isinstance(column, str))
    arrays = []
    for column in TABLES[table]:
        value: str | Sequence[Any] | None = columns.get(column.name, "0" if column.name == "run_id" else None)
        if value is None or isinstance(value, str):
            arrays.append(pa.repeat(pa.scalar(value, column.type), count))
        else:
            arrays.append(value if isinstance(value, pa.Array) else pa.array(value).cast(column.type))
    return pa.table(arrays, schema=TABLES[table])
