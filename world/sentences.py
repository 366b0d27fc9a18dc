"""Words about a photo whose truth is known: how one names, describes and captions who and what is in it.

What does not live here: questions and referring expressions (`questions`), every word there is
(`vocabulary`), and how a model's training samples are put together from them (`train`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .identity import Person
from .scene import Scene
from .things import Item
from .truth import EntityTruth, article, truth

PLACE_PHRASES = {
    "beach": "on the beach", "park": "in the park", "street": "on the street", "snow": "in the snow",
    "desert": "in the desert", "lake": "at the lake", "forest": "in the forest", "garden": "in the garden",
    "kitchen": "in the kitchen", "living room": "in the living room", "bedroom": "in the bedroom",
    "cafe": "in the cafe",
}  # fmt: skip
WHERE_PHRASES = {"left": "on the left", "middle": "in the middle", "right": "on the right"}
PATTERN_PHRASES = {
    "striped": "{} stripes", "dotted": "{} dots", "checked": "{} checks", "starred": "a {} star",
    "spotted": "{} spots", "patched": "{} patches",
}  # fmt: skip
TRIMS = {
    "mug": "handle", "vase": "flowers", "backpack": "pocket", "umbrella": "handle", "ball": "band",
    "guitar": "head",
    "bicycle": "wheels", "toy car": "wheels", "teddy bear": "bow",
}  # fmt: skip

Part = tuple[str, str | None]
"""A piece of a sentence, and the key of the entity it speaks of."""


def phrase(entity: Person | Item) -> str:
    """How one names an entity that has no name: "an old woman", "a white dog"."""
    if isinstance(entity, Person):
        return article(f"old {entity.noun}" if entity.age == "old" else entity.noun)
    return article(f"{entity.color} {entity.noun}")


def look(entity: Person | Item) -> str:
    """What tells this entity from others of its kind: "a white mug with red stripes and a blue handle"."""
    if isinstance(entity, Person):
        return f"{phrase(entity)} with {listed([hair(entity), *uniques(entity)])}"
    details = []
    if entity.pattern != "plain":
        details.append(PATTERN_PHRASES[entity.pattern].format(entity.second_color))
    if entity.accessory_color != "none":
        trim = "collar" if entity.kind == "pet" else TRIMS[entity.category]
        plural = trim.endswith("s")
        details.append(
            f"{entity.accessory_color} {trim}" if plural else article(f"{entity.accessory_color} {trim}")
        )
    return f"{phrase(entity)} with {listed(details)}" if details else phrase(entity)


def hair(person: Person) -> str:
    """The kind of hair: "long brown hair", "a brown bun", "a bald head"."""
    style, color = person.hair_style, person.hair_color
    if style == "bald":
        return "a bald head"
    return article(f"{color} {style}") if style in ("bun", "bob", "ponytail") else f"{style} {color} hair"


def caption(
    scene: Scene,
    names: Mapping[str, str] | None = None,
    *,
    detailed: bool = False,
    found: Sequence[EntityTruth] | None = None,
) -> str:
    """One sentence about the main entities, from left to right, and the place.

    `names` maps entity keys to what they are called instead of being described; `detailed` describes the
    looks of the unnamed in full; `found` is the scene's truth where the caller has it already.
    """
    return "".join(text for text, _ in caption_parts(scene, names, detailed=detailed, found=found))


def caption_parts(
    scene: Scene,
    names: Mapping[str, str] | None = None,
    *,
    detailed: bool = False,
    found: Sequence[EntityTruth] | None = None,
) -> list[Part]:
    """The caption in pieces: each text with the key of the entity it speaks of, None for what joins them."""
    names = names or {}
    main = sorted(main_entities(scene, found), key=lambda t: t.box[0] + t.box[2])
    describe = look if detailed else phrase

    def who(entity: Person | Item) -> str:
        return names.get(entity.key) or describe(entity)

    people: list[list[Part]] = []
    for entry in main:
        if isinstance(entry.entity, Person):
            carries = scene.actor(entry.key).carries
            doing = f"{entry.doing.split()[0]} " if carries else entry.doing
            people.append([(f"{who(entry.entity)} wearing {outfit(entry)} {doing}", entry.key)])
            if carries:
                people[-1].append((who(scene.actor(carries).entity), carries))
    loose: list[list[Part]] = [
        [(who(t.entity), t.key)]
        for t in main
        if isinstance(t.entity, Item) and scene.actor(t.key).carried_by is None
    ]
    between: list[Part] = [(" with ", None)] if people and loose else []
    place: Part = (f" {PLACE_PHRASES[scene.place]}", None)
    return [*_joined(people), *between, *_joined(loose), place]


def main_entities(scene: Scene, found: Sequence[EntityTruth] | None) -> list[EntityTruth]:
    """Those that sentences are about; `found` is the scene's truth where the caller has it already."""
    return [t for t in (truth(scene) if found is None else found) if t.main]


def outfit(entry: EntityTruth) -> str:
    """What a person wears: "a red dress"."""
    return article(f"{entry.color} {entry.garment}")


def uniques(person: Person) -> list[str]:
    """What is in few faces: glasses, a beard, freckles."""
    return ["glasses"] * person.glasses + ["a beard"] * person.beard + ["freckles"] * person.freckles


def listed(parts: Sequence[str]) -> str:
    """The parts with "," and "and" between them; "" if there are none."""
    return "".join(text for text, _ in _joined([[(part, None)] for part in parts]))


def _joined(groups: Sequence[Sequence[Part]]) -> list[Part]:
    """Groups one after the other with "," and "and" between them."""
    joined: list[Part] = []
    for number, group in enumerate(groups):
        if number:
            joined.append((" and " if number == len(groups) - 1 else ", ", None))
        joined += group
    return joined
