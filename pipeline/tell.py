"""The tell pipeline: what is to be told, with which model, and from its answers to rows.

A photo is told when heads fired on it and nothing says yet what the model sees of these concepts. The plan is
an anti-join, as everywhere: on the photo's concepts with their versions, the model, and how it is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from ..schemas.settings import PLAIN, Settings
from ..schemas.tables import ANSWERS, BOXES, CAPTIONS
from ..stages.base import Stage
from ..stages.packs import Model
from ..stages.vlm import families
from ..stages.vlm.asking import Manner
from ..stages.vlm.tell import ASKED, Spoken, Tell
from .catalog import Catalog
from .concepts import Concepts, Kept
from .models import Models, fingerprint_of
from .plan import HERE, TODO, Wanted, inside
from .rows import failure_rows, fill
from .views import connect

TO_TELL = pa.schema(
    [
        *TODO,
        *ASKED,
        pa.field("versions", pa.list_(pa.string())),
        pa.field("identifiers", pa.list_(pa.string())),
        pa.field("numbered_by", pa.string()),
        pa.field("why", pa.string()),
    ]
)

_TO_TELL = f"""
WITH spoken AS (
    SELECT unnest($concepts) AS concept, unnest($versions) AS version, unnest($identifiers) AS identifier
),
{HERE},
faces_here AS (
    SELECT photo_id, list([x0, y0, x1, y1] ORDER BY face) AS faces, any_value(made_by) AS numbered_by
    FROM faces GROUP BY photo_id
),
seen AS (  -- of two that the model calls by the same word, the surer
    SELECT photo_id, spoken.concept, identifier, split_part(version, ' head ', 1) AS version,
           CASE WHEN ends_with(version, numbered_by) THEN face END AS face
    FROM detections
    JOIN spoken ON detections.concept = spoken.concept AND detections.made_by = spoken.version
    LEFT JOIN faces_here USING (photo_id)
    WHERE hit
    QUALIFY row_number() OVER (
        PARTITION BY photo_id, lower(identifier) ORDER BY score - threshold DESC, detections.concept
    ) = 1
),
wanted AS (
    SELECT photo_id, list(concept ORDER BY concept) AS concepts, list(version ORDER BY concept) AS versions,
           list(identifier ORDER BY concept) AS identifiers, list(face ORDER BY concept) AS face
    FROM seen GROUP BY photo_id
),
before AS (
    FROM all_captions WHERE split_part(made_by, ' ', 1) = $vlm
    QUALIFY row_number() OVER (PARTITION BY photo_id ORDER BY run_id DESC) = 1
),
blocked AS (
    SELECT DISTINCT photo_id
    FROM all_failures AS failure JOIN (SELECT unnest($stages) AS stage, unnest($tried_by) AS made_by) AS same
      ON failure.stage = same.stage AND failure.made_by = same.made_by
    WHERE photo_id IS NOT NULL AND kind != 'unreadable'  -- permissions leave no mark on a file
)
SELECT photo_id, path, size, mtime_ns, 'decode+tell' AS stages, wanted.concepts,
       coalesce(faces, []) AS faces, face, wanted.versions, wanted.identifiers, faces_here.numbered_by,
       CASE WHEN before.photo_id IS NULL THEN 'never told'
            WHEN list_sort(before.concepts) != wanted.concepts THEN 'other concepts are in it'
            WHEN list_sort(before.versions) != list_sort(wanted.versions) THEN 'a concept was learnt again'
            WHEN before.made_by != $made_by THEN 'another model tells'
            WHEN NOT list_contains($settings, before.settings) THEN 'it is asked in another way'
            ELSE 'another face in it is someone''s' END AS why
FROM here JOIN wanted USING (photo_id)
LEFT JOIN faces_here USING (photo_id)
LEFT JOIN before USING (photo_id)
ANTI JOIN blocked USING (photo_id)
ANTI JOIN vlm_captions AS told  -- whatever the order: a concept that was renamed stays where it was
  ON told.photo_id = here.photo_id AND list_sort(told.versions) = list_sort(wanted.versions)
 AND told.made_by = $made_by AND list_contains($settings, told.settings)
 AND coalesce(  -- numbers of one faces model can be compared, where faces were looked at
     told.numbered_by != faces_here.numbered_by
     OR [told.looked_at[list_position(told.versions, version)] FOR version IN wanted.versions] = face, true
 )
WHERE $concept = '' OR list_contains(wanted.concepts, $concept)
ORDER BY path
"""


@dataclass(frozen=True)
class Telling:
    """The stages that make a model speak, and the concepts it can speak of.

    Each model goes through the photos by itself, decoding them again: a decode costs a small part of what a
    telling does, and a worker seldom has room for two models.
    """

    stages: tuple[Stage, Tell]
    found_by: Mapping[str, str]  # concept -> `made_by` of its rows in detections
    turn: int  # its place among the models that tell

    @property
    def tell(self) -> Tell:
        """The stage itself."""
        return self.stages[1]

    @property
    def wanted(self) -> Wanted:
        """The stages' fingerprints."""
        return Wanted(
            {stage.name: stage.made_by for stage in self.stages},
            {stage.name: stage.tried_by for stage in self.stages},
        )


def prepare(settings: Settings, models: Models, say: Callable[[str], None]) -> list[Telling]:
    """Return what is told with, model by model; nothing where no concept is known or no model can tell.

    Concepts that a model hasn't learnt are named to `say`, in one line. Raises UsageProblem if `settings`
    names a model that isn't there, ModelMissing if its files aren't.
    """
    store = Concepts(settings.home)
    kept = [store.load(concept.name) for concept in store.all()]
    if not kept:
        return []
    vlms = families.telling(models.pack, settings.vlm)
    if not vlms:
        say(f"the model pack {models.pack.name} has no model that can tell of concepts: nothing is told")
        return []
    pointing = families.grounding(vlms, settings.boxes)
    tellings = [_prepare(settings, models, kept, vlms, turn, pointing, say) for turn in range(len(vlms))]
    return [telling for telling in tellings if telling.found_by]


def _prepare(
    settings: Settings,
    models: Models,
    kept: Sequence[Kept],
    vlms: Sequence[Model],
    turn: int,
    pointing: Model | None,
    say: Callable[[str], None],
) -> Telling:
    """What one of the models tells with; its `found_by` is empty where it has learnt nothing."""
    vlm = vlms[turn]
    content = fingerprint_of(vlm, settings)
    learnt = {one.concept.name: one.concept.embeddings.get(vlm.key) for one in kept}
    tell = Tell(
        vlm,
        settings.home,
        content,
        {
            one.concept.name: Spoken(
                one.concept.identifier,
                one.concept.kind == "person",
                one.concept.class_word,
                one.vectors[vlm.key],
            )
            for one in kept
            if (info := learnt[one.concept.name]) and info.made_by == families.version(vlm, content)
        },
        Manner(
            settings.people,
            settings.person_questions,
            settings.object_questions,
            families.wording(vlm),
            vlm == pointing,
            settings.temperature,
        ),
    )
    mute = [name for name in learnt if name not in tell.spoken]
    if mute:
        known = next(list(one.concept.embeddings) for one in kept if one.concept.name == mute[0])
        anew = "" if vlm.key in known else f" --vlm {','.join([*known, vlm.key])}"
        say(
            f"nothing is told of {', '.join(mute)}: not learnt with {vlm.key} as it is now;"
            f" learn it with: myvlm-tag concepts retrain {mute[0]!r}{anew}"
        )
    found_by = {one.concept.name: one.concept.found_by for one in kept if one.concept.name in tell.spoken}
    return Telling((models.stages[0], tell), found_by, turn)


def missing(catalog: Catalog, telling: Telling, roots: Sequence[str], concept: str = "") -> pa.Table:
    """Return a TO_TELL table: photos under `roots` of which something is left to tell, and why.

    Only those with `concept` in them, if one is named.
    """
    wanted, spoken = telling.wanted, telling.tell.spoken
    with connect(catalog) as connection:
        found = connection.sql(
            _TO_TELL,
            params={
                "concepts": list(telling.found_by),
                "versions": list(telling.found_by.values()),
                "identifiers": [spoken[name].identifier for name in telling.found_by],
                "roots": inside(roots),
                "stages": list(wanted.tried_by),
                "tried_by": list(wanted.tried_by.values()),
                "made_by": telling.tell.made_by,
                "vlm": telling.tell.model.key,
                "settings": telling.tell.manner.enough,
                "concept": concept,
            },
        )
        return found.to_arrow_table().cast(TO_TELL)


def to_tables(batch: pa.Table, telling: Telling, run_id: str) -> dict[str, pa.Table]:
    """Return the tables that `batch` (output of the stages) fills; a photo's rows are in them together."""
    told = batch.filter(pc.is_valid(batch["caption"]))
    made = {
        "settings": telling.tell.manner.identity,
        "turn": telling.turn,
        "made_by": telling.tell.made_by,
        "run_id": run_id,
    }
    captions = told["caption"].combine_chunks()
    tables = {
        "failures": failure_rows(batch, telling.wanted, run_id),
        "captions": fill(CAPTIONS, {**_photos(told, telling), **_columns(captions), **made}),
    }
    for name, schema in (("answers", ANSWERS), ("boxes", BOXES)):
        lists = told[name].combine_chunks()
        photos = _photos(told.take(pc.list_parent_indices(lists)), telling)
        tables[name] = fill(schema, {**photos, **_columns(pc.list_flatten(lists)), **made})
    return tables


def _photos(rows: pa.Table, telling: Telling) -> dict[str, pa.ChunkedArray]:
    names = {name: name for name in ("photo_id", "concepts", "identifiers", "versions")}
    if telling.tell.manner.people != PLAIN:
        names |= {"looked_at": "face", "numbered_by": "numbered_by"}
    return {name: rows[column] for name, column in names.items()}


def _columns(structs: pa.Array) -> dict[str, pa.Array]:
    return {field.name: pc.struct_field(structs, field.name) for field in structs.type}
