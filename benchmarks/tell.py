"""Finding and telling concepts, against the way in which the paper's authors infer.

What is told of which photo is taken from the truth on both sides, so that both say the same words.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from myvlm_tag.pipeline.models import load_models
from myvlm_tag.schemas.settings import OBJECT_QUESTIONS, PERSON_QUESTIONS, PLAIN
from myvlm_tag.stages.base import Stage
from myvlm_tag.stages.images import from_table
from myvlm_tag.stages.vlm.asking import Manner, Subject
from myvlm_tag.stages.vlm.base import Adapter
from myvlm_tag.stages.vlm.families import choose, load
from myvlm_tag.stages.vlm.tell import ASKED, Spoken, Tell
from myvlm_tag.stages.vlm.words import BOX, CAPTION
from myvlm_tag.world.identity import sample_person
from myvlm_tag.world.measure.photos import photographs
from myvlm_tag.world.scene import Scene, sample_scene
from myvlm_tag.world.things import sample_item
from myvlm_tag.world.train.text import introduce
from PIL import Image

from .common import Sizes, figure, settings

_PHOTOS = 48  # at most: one prompt at a time takes long
_BATCH = 16
_TOKENS = {"caption": 512, "answer": 128, "box": 48}
_NAMES = ("anna", "emma", "bob", "tom", "sks", "mia", "leo", "max")


@dataclass
class _Cast:
    """Four people and four things, as concepts that were learnt: by the words that describe them."""

    entities: list[Any]
    spoken: dict[str, Spoken]


def telling_against_one_prompt_at_a_time(sizes: Sizes, folder: Path) -> None:
    """Photos in; concepts found, captions, answers and boxes out: batched, against the paper's inference."""
    how = settings(folder / "home", sizes)
    models = load_models(how)
    model = choose(models.pack)
    adapter = load(model, how.home, "bench")
    cast = _cast(adapter)
    manner = Manner(PLAIN, PERSON_QUESTIONS, OBJECT_QUESTIONS)
    tell = Tell(model, how.home, "bench", cast.spoken, manner)
    stages: list[Stage] = [*models.stages, tell]
    for stage in stages:
        stage.setup()
    table = _photos(folder, cast, min(sizes.photos, _PHOTOS))
    both = (partial(_batched, stages), partial(_one_by_one, models.stages, adapter, manner, cast))
    for side in both:
        side(table.slice(0, 1))  # the first call of anything is slow
    told: list[list[str]] = [[], []]
    seconds, finding = [0.0, 0.0], [0.0, 0.0]
    for start in range(0, table.num_rows, _BATCH):  # in turns: what else the machine does meets both
        for number, side in enumerate(both):
            started = time.perf_counter()
            said, found = side(table.slice(start, _BATCH))
            seconds[number] += time.perf_counter() - started
            finding[number] += found
            told[number] += said
    different = sum(a != b for a, b in zip(*told, strict=True))
    assert not different, f"{different} of {len(told[0])} sentences differ"
    telling = [whole - part for whole, part in zip(seconds, finding, strict=True)]
    figure(f"{table.num_rows} photos, {len(told[0])} sentences: seconds", seconds[0])
    figure("the paper's way, seconds", seconds[1])
    figure("telling alone: the paper's way / ours", telling[1] / telling[0])
    figure("finding and telling: the paper's way / ours", seconds[1] / seconds[0], ">= 6")


def _batched(stages: Sequence[Stage], batch: pa.Table) -> tuple[list[str], float]:
    """All that is said, in order, and the seconds that finding took."""
    decode, faces, clip, tell = stages
    started = time.perf_counter()
    batch = decode(batch)
    faces(batch)
    clip(batch)  # all that heads need besides is a matrix product
    found = time.perf_counter() - started
    said: list[str] = []
    for row in tell(batch).to_pylist():
        said += [spoken["said"] for spoken in (row["caption"], *row["answers"], *row["boxes"])]
    return said, found


def _one_by_one(
    stages: Sequence[Stage], adapter: Adapter, manner: Manner, cast: _Cast, table: pa.Table
) -> tuple[list[str], float]:
    """The same, but each head looks at the photo anew, and so does the model for each prompt."""
    said: list[str] = []
    finding = 0.0
    decode, faces, clip = stages
    for row in range(table.num_rows):
        started = time.perf_counter()
        photo = decode(table.slice(row, 1))
        for one in cast.spoken.values():
            (faces if one.person else clip)(photo)
        finding += time.perf_counter() - started
        (image,) = from_table(photo)
        names = photo["concepts"][0].as_py()
        vectors = {name: adapter.vector(cast.spoken[name].vector) for name in names}
        prompts = [(CAPTION, list(vectors.values()), _TOKENS["caption"])]
        subjects = [Subject(name, cast.spoken[name].identifier, cast.spoken[name].person) for name in names]
        for subject in subjects:
            questions = manner.person_questions if subject.person else manner.object_questions
            prompts += [
                (question.replace("{}", subject.identifier), [vectors[subject.concept]], _TOKENS["answer"])
                for question in questions.values()
            ]
        prompts += [
            (BOX.replace("{}", subject.identifier), [vectors[subject.concept]], _TOKENS["box"])
            for subject in subjects
        ]
        for prompt, own, tokens in prompts:
            said += adapter.generate(adapter.encode([image]), [own], [prompt], tokens)
    return said, finding


def _cast(adapter: Adapter) -> _Cast:
    rng = np.random.default_rng(12)
    entities = [*(sample_person(rng) for _ in range(4)), *(sample_item(rng) for _ in range(4))]
    spoken = {}
    for name, entity in zip(_NAMES, entities, strict=True):
        introduction = introduce(name, entity, [], rng, None)
        assert introduction is not None
        vector = adapter.meaning(introduction.words).cpu().numpy()
        unit = vector / np.linalg.norm(vector)
        spoken[entity.key] = Spoken(name, entity.kind == "person", entity.noun, unit)
    return _Cast(entities, spoken)


def _photos(folder: Path, cast: _Cast, count: int) -> pa.Table:
    """JPEGs with one or two of the cast, and who is in which."""
    rng = np.random.default_rng(13)
    shown = [
        [cast.entities[i] for i in rng.choice(8, int(rng.integers(1, 3)), replace=False)]
        for _ in range(count)
    ]
    scenes: list[Scene] = []
    for entities in shown:
        people = [entity for entity in entities if entity.kind == "person"]
        scenes.append(sample_scene(rng, people, [entity for entity in entities if entity not in people]))
    (folder / "photos").mkdir()
    paths = [folder / "photos" / f"{number:03}.jpg" for number in range(count)]
    for path, pixels in zip(paths, photographs(scenes), strict=True):
        Image.fromarray(pixels).save(path, quality=90)
    return pa.table(
        {
            "photo_id": [path.name for path in paths],
            "path": [str(path) for path in paths],
            "size": pa.array([path.stat().st_size for path in paths], pa.int64()),
            "concepts": [[entity.key for entity in entities] for entities in shown],
            # No face is known of anyone: each photo is told as the paper does it.
            "faces": pa.array([[]] * count, ASKED.field("faces").type),
            "face": pa.array([[None] * len(entities) for entities in shown], ASKED.field("face").type),
        }
    )
