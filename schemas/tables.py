"""One Arrow schema per table of the catalog.

How rows age: nothing is changed in place; among rows with the same key the one with the greatest `run_id`
counts (`pipeline/views.sql`). Boxes and landmarks are in pixels of the original photo turned upright (EXIF
orientation applied), x to the right and y down. `made_by` is the fingerprint of the model (or decoder) a row
came from.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

FACE_DIM = 512

#: What the files of a library said about themselves; a missing or malformed tag is null.
EXIF_FIELDS: list[pa.Field] = [
    pa.field("taken_at", pa.timestamp("us")),  # local wall-clock time, as the camera wrote it
    pa.field("taken_offset_minutes", pa.int16()),  # local time minus UTC
    pa.field("camera_make", pa.string()),
    pa.field("camera_model", pa.string()),
    pa.field("lens", pa.string()),
    pa.field("exposure_seconds", pa.float32()),
    pa.field("f_number", pa.float32()),
    pa.field("iso", pa.int32()),
    pa.field("focal_length_mm", pa.float32()),
    pa.field("latitude", pa.float64()),  # degrees, north positive
    pa.field("longitude", pa.float64()),  # degrees, east positive
    pa.field("altitude_m", pa.float32()),
    pa.field("orientation", pa.int8()),  # EXIF 1-8, as found in the file; already applied everywhere else
]

#: Why a photo has no rows. `kind` is one word for counting, `reason` is plain words for the person.
FAILURE = pa.struct(
    [pa.field("stage", pa.string()), pa.field("kind", pa.string()), pa.field("reason", pa.string())]
)

_FACE_FIELDS: list[pa.Field] = [
    pa.field("x0", pa.float32()),
    pa.field("y0", pa.float32()),
    pa.field("x1", pa.float32()),
    pa.field("y1", pa.float32()),
    pa.field("score", pa.float32()),  # the detector's, 0-1
    # x, y of left eye, right eye, nose, left and right mouth corner; left and right as the viewer sees them
    pa.field("landmarks", pa.list_(pa.float32(), 10)),
    # 512 float16, L2-normalised; null when the pack has a detector only
    pa.field("embedding", pa.binary(2 * FACE_DIM)),
]

#: One face as the faces stage gives it, inside a list per photo.
FACE = pa.struct(_FACE_FIELDS)

_MADE: list[pa.Field] = [pa.field("made_by", pa.string()), pa.field("run_id", pa.string())]

#: One row per photo that could be decoded. Key: photo_id.
PHOTOS = pa.schema(
    [
        pa.field("photo_id", pa.string(), nullable=False),  # hash of the file's bytes, hex
        pa.field("format", pa.string()),  # JPEG, PNG, HEIF, ... by content, never by extension
        pa.field("width", pa.int32()),  # upright, of the original
        pa.field("height", pa.int32()),
        *EXIF_FIELDS,
        *_MADE,
    ]
)

#: One row per path. Key: path. A file that went is a newer row with gone = true; it keeps its photo_id, so
#: that a disk that comes back costs a stat per file. A folder that can't be listed has a row without size.
FILES = pa.schema(
    [
        pa.field("path", pa.string(), nullable=False),  # absolute, text form of schemas/paths.py
        pa.field("photo_id", pa.string()),  # null when the file could not be read (see failures)
        pa.field("size", pa.int64()),  # bytes
        pa.field("mtime_ns", pa.int64()),
        pa.field("root", pa.string()),  # the library folder it was found under, text form
        pa.field("gone", pa.bool_()),
        pa.field("run_id", pa.string()),
    ]
)

#: One row per face. Key: photo_id, face, made_by.
FACES = pa.schema(
    [
        pa.field("photo_id", pa.string(), nullable=False),
        pa.field("face", pa.int16(), nullable=False),  # 0, 1, ... in the detector's order
        *_FACE_FIELDS,
        *_MADE,
    ]
)

#: One row per photo and CLIP model. Key: photo_id, made_by.
CLIP = pa.schema(
    [
        pa.field("photo_id", pa.string(), nullable=False),
        pa.field("embedding", pa.binary()),  # float16, L2-normalised; the length is the model's
        *_MADE,
    ]
)

#: One row per photo and stage that finished it: what every plan is an anti-join with. It tells "no
#: faces in it" (items = 0) from "not looked at yet".
FEATURES = pa.schema(
    [
        pa.field("photo_id", pa.string(), nullable=False),
        pa.field("stage", pa.string(), nullable=False),  # decode, faces, clip
        pa.field("items", pa.int32()),  # rows this stage wrote for the photo
        *_MADE,
    ]
)

#: One row per photo and concept, hit or not. Key: photo_id, concept.
DETECTIONS = pa.schema(
    [
        pa.field("photo_id", pa.string(), nullable=False),
        pa.field("concept", pa.string(), nullable=False),  # its name
        # The greater, the surer: for people the face's cosine similarity (null without a face), for things a
        # probability.
        pa.field("score", pa.float32()),
        pa.field("threshold", pa.float32()),  # the score from which on it's a hit, unless another is nearer
        pa.field("hit", pa.bool_()),
        pa.field("face", pa.int16()),  # which face of the photo it is; null for things and where it's no hit
        *_MADE,
    ]
)

#: What every row of a telling says of it: who was spoken of, by which words, and how they were asked for. The
#: lists run in parallel; `looked_at` is null where the model was asked without regard to faces.
_TOLD: list[pa.Field] = [
    pa.field("concepts", pa.list_(pa.string())),  # all that were found in the photo and spoken of together
    pa.field("identifiers", pa.list_(pa.string())),  # the word that the model says for each
    pa.field("versions", pa.list_(pa.string())),  # of the concepts: `made_by` in detections up to the head
    pa.field("looked_at", pa.list_(pa.int16())),  # the face that was taken for each one's, as in detections
    pa.field("numbered_by", pa.string()),  # the faces model that gave those their numbers
    pa.field("settings", pa.string()),  # identity of instruction, questions and way of asking
    pa.field("turn", pa.int8()),  # 0 for the model that the run asked first, 1 for the next
    *_MADE,  # the vision-language model
]

#: One row per photo and model that told it. Key: photo_id, first word of made_by. A photo is told again when
#: its concepts, one of their versions, a face of theirs, the model or the settings change.
CAPTIONS = pa.schema(
    [
        pa.field("photo_id", pa.string(), nullable=False),
        pa.field("caption", pa.string()),  # with the names
        pa.field("prompt", pa.string()),  # as the model saw it
        pa.field("said", pa.string()),  # as the model said it, with the identifiers
        pa.field("mended", pa.string()),  # the same, put right by closer looks and by heads
        *_TOLD,
    ]
)

#: One row per photo, concept, question and model. Key: photo_id, concept, topic, first word of made_by.
ANSWERS = pa.schema(
    [
        pa.field("photo_id", pa.string(), nullable=False),
        pa.field("concept", pa.string(), nullable=False),  # whom or what the question is about
        pa.field(
            "topic", pa.string(), nullable=False
        ),  # the question's name in the settings: wearing, doing, ...
        pa.field("question", pa.string()),  # with {} for the name
        pa.field("answer", pa.string()),  # with the names
        pa.field("prompt", pa.string()),
        pa.field("said", pa.string()),
        *_TOLD,
    ]
)

#: One row per photo and concept: where the model points. Key: photo_id, concept. The corners are null when
#: what it said is no box.
BOXES = pa.schema(
    [
        pa.field("photo_id", pa.string(), nullable=False),
        pa.field("concept", pa.string(), nullable=False),
        pa.field("x0", pa.float32()),
        pa.field("y0", pa.float32()),
        pa.field("x1", pa.float32()),
        pa.field("y1", pa.float32()),
        pa.field("prompt", pa.string()),
        pa.field("said", pa.string()),
        *_TOLD,
    ]
)

#: One row per photo that could not be done. Key: photo_id, or path for a file that could not even be read.
#: Tried again only when the file changed (another photo_id, size or mtime) or `made_by` did.
FAILURES = pa.schema(
    [
        pa.field("photo_id", pa.string()),
        pa.field("path", pa.string()),
        pa.field("size", pa.int64()),
        pa.field("mtime_ns", pa.int64()),
        pa.field("stage", pa.string()),
        pa.field("kind", pa.string()),  # unreadable, truncated, too_large, not_a_photo, killed_worker, ...
        pa.field("reason", pa.string()),
        *_MADE,
    ]
)

#: What the person said, kept in `catalog/decisions/` and never in segments: it can't be computed again. Key:
#: photo_id, concept; the greatest decision_id counts.
DECISIONS = pa.schema(
    [
        pa.field("decision_id", pa.string(), nullable=False),  # a ULID: sorts by time
        pa.field("photo_id", pa.string(), nullable=False),
        pa.field("concept", pa.string()),  # null where a face is said to be nobody who matters
        pa.field("verdict", pa.string(), nullable=False),  # confirm, reject, ignore
        pa.field("face", pa.int16()),  # of the photo, where it is about a face
        pa.field("made_by", pa.string()),  # the faces model that numbered the face
        pa.field("decided_at", pa.timestamp("us")),  # UTC
    ]
)

TABLES: dict[str, pa.Schema] = {
    "photos": PHOTOS,
    "files": FILES,
    "faces": FACES,
    "clip": CLIP,
    "features": FEATURES,
    "detections": DETECTIONS,
    "captions": CAPTIONS,
    "answers": ANSWERS,
    "boxes": BOXES,
    "failures": FAILURES,
}

#: The tables whose views show of each key the row with the greatest `run_id` and no other: superseded rows
#: can go. What was told is no such table: an older caption counts again when the newer one speaks of someone
#: who is no longer found in the photo. Nor are failures: what a stage failed in once is not tried again.
KEYS: dict[str, tuple[str, ...]] = {
    "photos": ("photo_id",),
    "files": ("path",),
    "faces": ("photo_id", "face", "made_by"),
    "clip": ("photo_id", "made_by"),
    "detections": ("photo_id", "concept"),
}


def coded(schema: pa.Schema) -> pa.Schema:
    """The same columns with text as codes into a dictionary, for many rows of few words."""
    text = pa.dictionary(pa.int32(), pa.string())
    return pa.schema([field.with_type(text) if pa.types.is_string(field.type) else field for field in schema])


def unpack(embeddings: Iterable[bytes], dimensions: int) -> NDArray[np.float16]:
    """Return stored embeddings as a matrix (rows, dimensions), read-only, copied once."""
    return np.frombuffer(b"".join(embeddings), np.float16).reshape(-1, dimensions)
