"""Questions about a photo whose truth is known, with their answers, and expressions that pick out an entity.

What does not live here: captions, and how an entity is named and described (`sentences`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .identity import Person
from .scene import Scene
from .sentences import PLACE_PHRASES, WHERE_PHRASES, hair, listed, main_entities, outfit, phrase, uniques
from .things import Item
from .truth import EntityTruth

MATERIALS = {
    "mug": "ceramic", "vase": "ceramic", "backpack": "fabric", "umbrella": "fabric", "ball": "rubber",
    "guitar": "wood", "bicycle": "metal", "toy car": "metal", "teddy bear": "plush",
    "dog": "fur", "cat": "fur", "rabbit": "fur",
}  # fmt: skip
TEXTURES = {
    "plain": "plain", "striped": "striped", "dotted": "dotted", "checked": "checked",
    "starred": "plain with a star", "spotted": "spotted", "patched": "patched",
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


@dataclass(frozen=True)
class QA:
    """One question with its true answer; `key` is the entity asked about, None for the photo as a whole."""

    question: str
    answer: str
    topic: str
    key: str | None


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
    main = main_entities(scene, found)
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
    main = main_entities(scene, found)
    entry = next((t for t in main if t.key == key), None)
    if entry is None:
        raise KeyError(key)
    others = {text for t in main if t.key != key for _, text in _expressions(t)}
    unique = [(aspect, text) for aspect, text in _expressions(entry) if text not in others]
    fair = [text for aspect, text in unique if avoid not in aspect.split()]
    candidates = fair or [text for _, text in unique] or [_expressions(entry)[-1][1]]
    return str(candidates[int(rng.integers(len(candidates)))])


def _person_answers(scene: Scene, entry: EntityTruth) -> dict[str, str]:
    person = entry.entity
    assert isinstance(person, Person)
    answers = {
        "wearing": outfit(entry),
        "color": entry.color,
        "doing": entry.doing,
        "where": WHERE_PHRASES[entry.where],
        "next_to": entry.next_to,
        "hair": hair(person),
    }
    if entry.facing != "back":
        answers |= {"unique": listed(uniques(person)) or "no", "glasses": "yes" if person.glasses else "no"}
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
        "texture": TEXTURES[item.pattern],
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
