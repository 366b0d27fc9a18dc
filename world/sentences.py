"""Words about a photo whose truth is known: captions, questions with answers, referring expressions.

What does not live here: how a model's training samples are put together from them (`train`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .identity import HAIR_COLORS, HAIR_STYLES, Person
from .scene import ACTIVITIES, EXPRESSIONS, GARMENTS, PLACES, Scene
from .things import COATS, COLORS, PETS, THINGS, Item
from .truth import EntityTruth, article, truth

FEMALE_NAMES = (
    "anna", "clara", "dana", "emma", "ella", "fay", "gina", "hana", "iris", "jane",
    "kate", "lily", "mia", "mona", "nina", "olga", "rosa", "sara", "tina", "vera",
)  # fmt: skip
MALE_NAMES = (
    "adam", "ben", "bob", "carl", "dan", "eli", "finn", "hugo", "ivan", "jack",
    "leo", "liam", "max", "nick", "omar", "paul", "sam", "theo", "tom", "victor",
)  # fmt: skip
NAMES = FEMALE_NAMES + MALE_NAMES

PLACE_PHRASES = {
    "beach": "on the beach", "park": "in the park", "street": "on the street", "snow": "in the snow",
    "desert": "in the desert", "lake": "at the lake", "forest": "in the forest", "garden": "in the garden",
    "kitchen": "in the kitchen", "living room": "in the living room", "bedroom": "in the bedroom",
    "cafe": "in the cafe",
}  # fmt: skip
WHERE_PHRASES = {"left": "on the left", "middle": "in the middle", "right": "on the right"}
MATERIALS = {
    "mug": "ceramic", "vase": "ceramic", "backpack": "fabric", "umbrella": "fabric", "ball": "rubber",
    "guitar": "wood", "bicycle": "metal", "toy car": "metal", "teddy bear": "plush",
    "dog": "fur", "cat": "fur", "rabbit": "fur",
}  # fmt: skip
_TEXTURES = {
    "plain": "plain", "striped": "striped", "dotted": "dotted", "checked": "checked",
    "starred": "plain with a star", "spotted": "spotted", "patched": "patched",
}  # fmt: skip
_PATTERN_PHRASES = {
    "striped": "{} stripes", "dotted": "{} dots", "checked": "{} checks", "starred": "a {} star",
    "spotted": "{} spots", "patched": "{} patches",
}  # fmt: skip
_TRIMS = {
    "mug": "handle", "vase": "flowers", "backpack": "pocket", "umbrella": "handle", "ball": "band",
    "guitar": "head",
    "bicycle": "wheels", "toy car": "wheels", "teddy bear": "bow",
}  # fmt: skip
_LARGE = 0.34  # of the photo's height: from here a thing counts as large, and as close to the camera

# MyVLM, appendix: the questions asked of people and of objects; `{}` is who or what is asked about.
PERSON_QUESTIONS = {
    "wearing": (
        "What is {} wearing in the image?",
        "Can you describe what {} is wearing?",
        "What is {} wearing?",
    ),
    "color": ("What color {garment} is {} wearing?", "What color {garment} is {} wearing in the image?"),
    "doing": ("What is {} doing in the image?", "What is {} doing?"),
    "where": (
        "Where is {} in the image?",
        "From left to right, where is {} positioned in the image?",
        "Where is {}?",
    ),
    "next_to": ("What is next to {}?", "Who or what is next to {} in the image?"),
    "hair": ("What kind of hair does {} have?",),
    "expression": ("What is the expression on {}'s face?",),
    "unique": ("Is there anything unique about {}'s appearance?",),
    "glasses": ("Does {} wear glasses?",),
}
ITEM_QUESTIONS = {
    "color": ("What color is {}?", "What color is {} in the image?"),
    "where": ("Where is {} in the image?", "Where is {} positioned in the image?", "Where is {}?"),
    "next_to": ("What is next to {}?", "Who or what is next to {} in the image?"),
    "main": ("Does {} appear to be the main subject of the image?",),
    "interacting": (
        "What objects is {} interacting with in the image?",
        "Who or what is {} interacting with?",
    ),
    "texture": ("How would you describe the texture of {} in the image?",),
    "material": ("What types of materials is {} made of?",),
    "size": ("Is {} large or small in the image?",),
    "distance": ("Is {} close to the camera or far away?",),
}
PLACE_QUESTIONS = ("What place is this?", "Where was this photo taken?")


Part = tuple[str, str | None]
"""A piece of a sentence, and the key of the entity it speaks of."""


@dataclass(frozen=True)
class QA:
    """One question with its true answer; `key` is the entity asked about, None for the photo as a whole."""

    question: str
    answer: str
    topic: str
    key: str | None


def phrase(entity: Person | Item) -> str:
    """How one names an entity that has no name: "an old woman", "a white dog"."""
    if isinstance(entity, Person):
        return article(f"old {entity.noun}" if entity.age == "old" else entity.noun)
    return article(f"{entity.color} {entity.noun}")


def look(entity: Person | Item) -> str:
    """What tells this entity from others of its kind: "a white mug with red stripes and a blue handle"."""
    if isinstance(entity, Person):
        return f"{phrase(entity)} with {_and([hair(entity), *_uniques(entity)])}"
    details = []
    if entity.pattern != "plain":
        details.append(_PATTERN_PHRASES[entity.pattern].format(entity.second_color))
    if entity.accessory_color != "none":
        trim = "collar" if entity.kind == "pet" else _TRIMS[entity.category]
        plural = trim.endswith("s")
        details.append(
            f"{entity.accessory_color} {trim}" if plural else article(f"{entity.accessory_color} {trim}")
        )
    return f"{phrase(entity)} with {_and(details)}" if details else phrase(entity)


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
    main = sorted(_main(scene, found), key=lambda t: t.box[0] + t.box[2])
    describe = look if detailed else phrase

    def who(entity: Person | Item) -> str:
        return names.get(entity.key) or describe(entity)

    people: list[list[Part]] = []
    for entry in main:
        if isinstance(entry.entity, Person):
            carries = scene.actor(entry.key).carries
            doing = f"{entry.doing.split()[0]} " if carries else entry.doing
            people.append([(f"{who(entry.entity)} wearing {_clothes(entry)} {doing}", entry.key)])
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


def questions(
    scene: Scene,
    rng: np.random.Generator,
    names: Mapping[str, str] | None = None,
    *,
    found: Sequence[EntityTruth] | None = None,
) -> list[QA]:
    """Every question that makes sense in this photo, in one of its wordings, about each main entity.

    An entity is asked about by its name in `names`, else by an expression that picks it out (`refer`) and
    does not give the answer away.
    """
    names = names or {}
    main = _main(scene, found)
    asked: list[QA] = []
    for entry in main:
        person = isinstance(entry.entity, Person)
        answers = _person_answers(scene, entry) if person else _item_answers(scene, entry, names, len(main))
        for topic, answer in answers.items():
            who = names.get(entry.key) or refer(scene, entry.key, rng, avoid=topic, found=main)
            wordings = (PERSON_QUESTIONS if person else ITEM_QUESTIONS)[topic]
            question = str(rng.choice(wordings)).format(who, garment=entry.garment)
            asked.append(QA(question, answer, topic, entry.key))
    asked.append(QA(str(rng.choice(PLACE_QUESTIONS)), PLACE_PHRASES[scene.place], "place", None))
    return asked


def refer(
    scene: Scene,
    key: str,
    rng: np.random.Generator,
    *,
    avoid: str = "",
    found: Sequence[EntityTruth] | None = None,
) -> str:
    """An expression that picks out exactly this main entity of the photo; KeyError if it can't be seen.

    `avoid` is a question's topic: an expression that would answer it is used only when no other is unique.
    """
    main = _main(scene, found)
    entry = next((t for t in main if t.key == key), None)
    if entry is None:
        raise KeyError(key)
    others = {text for t in main if t.key != key for _, text in _expressions(t)}
    unique = [(aspect, text) for aspect, text in _expressions(entry) if text not in others]
    fair = [text for aspect, text in unique if avoid not in aspect.split()]
    candidates = fair or [text for _, text in unique] or [_expressions(entry)[-1][1]]
    return str(candidates[int(rng.integers(len(candidates)))])


def _main(scene: Scene, found: Sequence[EntityTruth] | None) -> list[EntityTruth]:
    return [t for t in (truth(scene) if found is None else found) if t.main]


def _person_answers(scene: Scene, entry: EntityTruth) -> dict[str, str]:
    person = entry.entity
    assert isinstance(person, Person)
    answers = {
        "wearing": _clothes(entry),
        "color": entry.color,
        "doing": entry.doing,
        "where": WHERE_PHRASES[entry.where],
        "next_to": entry.next_to,
        "hair": hair(person),
    }
    if entry.facing != "back":
        answers |= {"unique": _and(_uniques(person)) or "no", "glasses": "yes" if person.glasses else "no"}
        answers["expression"] = scene.actor(entry.key).expression
    return answers


def _item_answers(scene: Scene, entry: EntityTruth, names: Mapping[str, str], count: int) -> dict[str, str]:
    item = entry.entity
    assert isinstance(item, Item)
    carrier = scene.actor(entry.key).carried_by
    large = entry.box[3] - entry.box[1] >= _LARGE
    with_whom = phrase(scene.actor(carrier).entity) if carrier else "nothing"
    return {
        "color": item.color,
        "where": WHERE_PHRASES[entry.where],
        "next_to": entry.next_to,
        "main": "yes" if count == 1 else "no",
        "interacting": names.get(carrier or "", with_whom),
        "texture": _TEXTURES[item.pattern],
        "material": MATERIALS[item.category],
        "size": "large" if large else "small",
        "distance": "close" if large else "far away",
    }


def _expressions(entry: EntityTruth) -> list[tuple[str, str]]:
    """All ways to refer to an entity with the aspects each gives away; the last says most."""
    entity, where = entry.entity, WHERE_PHRASES[entry.where]
    if isinstance(entity, Item):
        short, colored = f"the {entity.noun}", f"the {entity.color} {entity.noun}"
        return [
            ("", short),
            ("color", colored),
            ("where", f"{short} {where}"),
            ("color where", f"{colored} {where}"),
        ]
    noun, clothes = f"the {entity.noun}", f"{entry.color} {entry.garment}"
    ways = [
        ("", noun),
        ("where", f"{noun} {where}"),
        ("where", f"the person {where}"),
        ("wearing color", f"{noun} in the {clothes}"),
        ("wearing color", f"the person in the {clothes}"),
        ("hair", f"{noun} with {hair(entity)}"),
        ("doing", f"{noun} who is {entry.doing}"),
    ]
    if entity.glasses and entry.facing != "back":  # beards and freckles are too small to be pointed out by
        ways.append(("unique glasses", f"{noun} with glasses"))
    if entity.age == "old":
        ways.append(("", f"the old {entity.noun}"))
    return [*ways, ("wearing color where", f"{noun} in the {clothes} {where}")]


def _clothes(entry: EntityTruth) -> str:
    return article(f"{entry.color} {entry.garment}")


def _uniques(person: Person) -> list[str]:
    return ["glasses"] * person.glasses + ["a beard"] * person.beard + ["freckles"] * person.freckles


def _and(parts: Sequence[str]) -> str:
    return "".join(text for text, _ in _joined([[(part, None)] for part in parts]))


def _joined(groups: Sequence[Sequence[Part]]) -> list[Part]:
    """Groups one after the other with "," and "and" between them."""
    joined: list[Part] = []
    for number, group in enumerate(groups):
        if number:
            joined.append((" and " if number == len(groups) - 1 else ", ", None))
        joined += group
    return joined


def _all_text() -> Iterator[str]:
    """Every template and every word that can be put into one."""
    for table in (PERSON_QUESTIONS, ITEM_QUESTIONS):
        for wordings in table.values():
            yield from wordings
    yield from PLACE_QUESTIONS
    for phrases in (PLACE_PHRASES, WHERE_PHRASES, MATERIALS, _TEXTURES, _PATTERN_PHRASES, _TRIMS):
        yield from phrases.values()
    yield from (
        *NAMES,
        *GARMENTS,
        *ACTIVITIES,
        *EXPRESSIONS,
        *PLACES,
        *COLORS,
        *COATS,
        *HAIR_COLORS,
        *PETS,
        *THINGS,
    )
    yield from (*HAIR_STYLES["male"], *HAIR_STYLES["female"])
    yield "a an the and with in on at wearing person man woman boy girl old hair head glasses beard freckles"
    yield "collar nothing no yes large small close far away left middle right who is sks"


VOCABULARY = tuple(
    sorted({w for text in _all_text() for w in re.findall(r"[a-z]+", text.lower())} - {"garment"})
)
