"""`explain`: why a photo shows a concept, or doesn't: the head's evidence, and where its embedding attends.

The numbers are worked out here, anew and from the photo itself, whether it is in a catalog or not; the
picture of them is drawn in `explain_picture.py`.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..schemas.concept import PHOTOS, Concept, TrainingPhoto
from ..schemas.errors import ConceptOutdated, UsageProblem
from ..schemas.paths import to_text
from ..schemas.settings import APP, Settings
from ..stages.clip import Clip
from ..stages.faces import Faces
from ..stages.heads import linear, person
from ..stages.heads.linear import LinearHead
from ..stages.heads.person import PersonHead
from ..stages.images import Image, cut
from ..stages.packs import Model
from ..stages.vlm import families
from ..stages.vlm.places import Box
from ..stages.vlm.words import swap
from .catalog import Catalog
from .concepts import Concepts, Kept
from .decisions import CONFIRM, REJECT, decided
from .given import Given, GivenPhoto, Say, clip_features, find_faces, read_files
from .heads import groups, with_rejected
from .models import Models, fingerprint_of, load_models
from .output import SOFTWARE, write_output

AROUND = 0.35  # of a face's width and height is shown on each side of it
_TOKENS = 96
_LEARN_AGAIN = "learn the concept again"
_SAID = {CONFIRM: "; you said it is", REJECT: "; you said it isn't"}


@dataclass(frozen=True)
class Evidence:
    """What the head goes by. `score` and `threshold` are as in `detections`: the greater, the surer."""

    hit: bool
    score: float | None  # None where there is no face
    threshold: float
    box: Box | None  # the face, in pixels of `Explained.image`
    nearest: TrainingPhoto | None  # the training photo most like it
    likeness: float | None  # cosine similarity to it
    image: Image | None  # that photo, or the face in it
    faces: int = 0  # in the photo
    against: str = ""  # why a face that is near enough isn't the person's


@dataclass(frozen=True)
class Attention:
    """Where the embedding attends. `weights` (rows, columns) cover `window`, a box in parts of the photo."""

    vlm: str
    weights: NDArray[np.float32]
    window: Box


@dataclass(frozen=True)
class Explained:
    """A photo, a concept, and what connects them."""

    path: Path
    image: Image
    concept: Concept
    evidence: Evidence
    decision: str  # what the person said of it: CONFIRM, REJECT, or "" for nothing
    vlm: str
    caption: str  # what the model says of the photo, with the concept's vector
    attention: Attention | None  # None where the model's attention tells nothing of places

    def record(self) -> dict[str, Any]:
        """For `--json`: everything but pictures."""
        evidence, attention = self.evidence, self.attention
        return {
            "photo": to_text(self.path),
            "concept": self.concept.name,
            "kind": self.concept.kind,
            "hit": evidence.hit,
            "decision": self.decision or None,
            "score": evidence.score,
            "threshold": evidence.threshold,
            "faces": evidence.faces,
            "against": evidence.against or None,
            "nearest": evidence.nearest and evidence.nearest.source,
            "likeness": evidence.likeness,
            "vlm": self.vlm,
            "caption": self.caption,
            "attention": attention and attention.weights.round(6).tolist(),
            "window": attention and attention.window,
        }

    def lines(self) -> list[str]:
        """In words."""
        return [verdict(self), *reasons(self), f"{self.vlm} with its vector: {self.caption}"]


def verdict(found: Explained) -> str:
    """Whether it is there, says the head; and the person, whose word counts."""
    head = f"{found.concept.name} is {'' if found.evidence.hit else 'not '}in it, says the head"
    return head + _SAID.get(found.decision, "")


def reasons(found: Explained) -> list[str]:
    """The numbers behind that, a line each."""
    evidence, like = found.evidence, ""
    if evidence.nearest is not None and evidence.likeness is not None:
        like = f"most like {evidence.nearest.file} of the training photos ({evidence.likeness:.2f})"
    if found.concept.kind == "object":
        score = f"probability {evidence.score:.2f}, a hit from {evidence.threshold:.2f} on"
        return [score, like]
    if evidence.score is None:
        return ["no face was found in it"]
    which = f"{'one' if evidence.hit else 'the nearest'} of {evidence.faces} faces"
    score = f"similarity {evidence.score:.2f}, a hit from {evidence.threshold:.2f} on"
    lines = [f"{which if evidence.faces > 1 else 'the face'}: {score}", like]
    return [*lines, evidence.against] if evidence.against else lines


def explain(settings: Settings, photo: Path, name: str, vlm: str, say: Say) -> Explained:
    """Look into a photo.

    Raises ConceptMissing, ConceptOutdated, UsageProblem, PhotosUnusable, ModelMissing, ModelDamaged.
    """
    store, models = Concepts(settings.home), load_models(settings)
    kept = store.load(name)
    if not photo.is_file():
        raise UsageProblem(f"there is no photo {to_text(photo)}", "name a file")
    model = families.choose(models.pack, vlm or _first(models, list(kept.vectors)))
    _check(settings, models, kept.concept, model)
    given = read_files(models, [photo], 1, say, "name another photo")
    if isinstance(kept.head, PersonHead):
        evidence = _face_evidence(settings, models, kept, kept.head, given, store.path(name), say)
    else:
        evidence = _likeness_evidence(models, kept, kept.head, given, store.path(name), say)
    shown = given.photos[0]
    decision = decided(Catalog(settings.catalog), kept.concept.name, shown.photo_id)
    caption, attention = _look(settings, model, kept, shown)
    return Explained(photo, shown.image, kept.concept, evidence, decision, model.key, caption, attention)


def _check(settings: Settings, models: Models, concept: Concept, model: Model) -> None:
    """See that head and embedding are of the models in use: to others their numbers mean nothing."""
    anew = f"learn it with: myvlm-tag concepts retrain {concept.name!r}"
    needed, words = (Faces.name, "face") if concept.kind == "person" else (Clip.name, "CLIP")
    if concept.head.made_by != {stage.name: stage.made_by for stage in models.stages}.get(needed):
        raise ConceptOutdated(f"{concept.name!r} isn't learnt with the {words} models in use", anew)
    learnt = concept.embeddings.get(model.key)
    if learnt is None:
        every = ",".join([*concept.embeddings, model.key])
        raise UsageProblem(f"{concept.name!r} isn't learnt with {model.key}", f"{anew} --vlm {every}")
    if learnt.made_by != families.version(model, fingerprint_of(model, settings)):
        raise ConceptOutdated(f"{concept.name!r} isn't learnt with {model.key} as it is now", anew)


def write_picture(found: Explained, out: Path) -> None:
    """Draw it into a PNG. Raises UsageProblem, DiskFull or HomeUnusable."""
    from PIL.PngImagePlugin import PngInfo

    from .explain_picture import draw

    told, packed = PngInfo(), io.BytesIO()
    told.add_text(SOFTWARE, APP)
    draw(found).save(packed, "PNG", optimize=True, pnginfo=told)
    write_output(out, packed.getvalue(), "--out")


def _face_evidence(
    settings: Settings, models: Models, kept: Kept, head: PersonHead, given: Given, folder: Path, say: Say
) -> Evidence:
    """The photo's face that is the person's, else the nearest, and which of those kept is most like it.

    Judged as a run does: beside everyone else, and with what was said of faces.
    """
    least = 1 - head.threshold
    faces = find_faces(models, given)
    if not faces:
        return Evidence(False, None, least, None, None, None, None)
    embeddings = np.stack([face.embedding for face in faces])
    people = _everyone(settings, kept.concept)
    mine = list(people).index(kept.concept.name)
    heads = list(people.values())
    distance, owner = person.judge(np.zeros(len(faces), np.int64), embeddings, heads)
    own = np.flatnonzero(owner == mine)
    face = int(own[0] if len(own) else distance[:, mine].argmin())
    against = ""
    if not len(own) and distance[face, mine] <= head.threshold:
        rejected = person.nearer_to_others(embeddings, heads, distance)[face, mine]
        other = f"a face that you said isn't {kept.concept.name}" if rejected else list(people)[owner[face]]
        against = f"but it is nearer to {other}"
    similarity = head.embeddings @ embeddings[face]
    best = int(similarity.argmax())
    shown = [used for used in kept.concept.photos if used.box is not None]
    nearest = shown[best] if best < len(shown) else None
    score = float(similarity[best])
    x0, y0, x1, y1 = (float(value) * given.photos[0].scale for value in faces[face].box)
    image = nearest and _crop(models, folder / PHOTOS / nearest.file, nearest, say)
    return Evidence(
        bool(len(own)), score, least, (x0, y0, x1, y1), nearest, score, image, len(faces), against
    )


def _everyone(settings: Settings, concept: Concept) -> dict[str, PersonHead]:
    """The heads of all people whom a run tells apart from this one, by name, with what was said of faces."""
    features = concept.head.made_by
    group = next(one for one in groups(settings, concept.name) if one.features == features)
    catalog = Catalog(settings.catalog)
    people = (with_rejected(catalog, group) if catalog.exists else group).kept
    return {one.concept.name: one.head for one in people if isinstance(one.head, PersonHead)}


def _crop(models: Models, path: Path, used: TrainingPhoto, say: Say) -> Image | None:
    """The face that was taken from a training photo, with a little around it."""
    if not path.is_file() or used.box is None:
        return None
    photo = read_files(models, [path], 1, say, _LEARN_AGAIN).photos[0]
    x0, y0, x1, y1 = (value * photo.scale for value in used.box)
    return cut(photo.image, (x0, y0, x1, y1), AROUND)


def _likeness_evidence(
    models: Models, kept: Kept, head: LinearHead, given: Given, folder: Path, say: Say
) -> Evidence:
    """The head's probability, and the training photo that is most like this one to CLIP."""
    own = clip_features(models, given)
    score = float(linear.probabilities(own, [head])[0, 0])
    used = [one for one in kept.concept.photos if (folder / PHOTOS / one.file).is_file()]
    nearest, likeness, image = None, None, None
    if used:
        files = [folder / PHOTOS / one.file for one in used]
        taught = read_files(models, files, len(used), say, _LEARN_AGAIN)
        similarity = clip_features(models, taught) @ own[0]
        best = int(similarity.argmax())
        nearest = next(one for one in used if one.file == taught.photos[best].path.name)
        likeness, image = float(similarity[best]), taught.photos[best].image
    return Evidence(score >= head.threshold, score, head.threshold, None, nearest, likeness, image)


def _look(settings: Settings, model: Model, kept: Kept, given: GivenPhoto) -> tuple[str, Attention | None]:
    """What the model says with the concept's vector, and where that attends."""
    adapter = families.load(model, settings.home, fingerprint_of(model, settings))
    features = adapter.encode([given.image])[0]
    vector = adapter.vector(kept.vectors[model.key])
    said = adapter.generate([features], [[vector]], [adapter.wording.to_caption()], _TOKENS)[0]
    caption = swap(said, {kept.concept.identifier: kept.concept.name})
    weights = adapter.attended(features, vector)
    height, width = given.image.shape[:2]
    attention = None if weights is None else Attention(model.key, weights, adapter.window(width, height))
    return caption, attention


def _first(models: Models, known: Sequence[str]) -> str:
    """The first of the models that know the concept that is in the pack."""
    return next((model.key for model in models.pack.models if model.key in known), "")
