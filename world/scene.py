"""What happens in one photo: the place, who stands where, what they wear and do, and the camera.

What does not live here: drawing (`render`), exact boxes (`truth`), words (`sentences`, `questions`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from .identity import Person, sample_person
from .things import COLORS, Item, sample_item

OUTDOORS = ("beach", "park", "street", "snow", "desert", "lake", "forest", "garden")
INDOORS = ("kitchen", "living room", "bedroom", "cafe")
PLACES = OUTDOORS + INDOORS
DAYTIMES = ("day", "morning", "evening", "night")
WEATHERS = ("clear", "cloudy", "rain", "fog")
GARMENTS = ("shirt", "sweater", "jacket", "coat", "dress")
ACTIVITIES = ("standing", "sitting", "waving", "walking", "holding", "riding")
EXPRESSIONS = ("smiling", "laughing", "serious", "surprised")
FACINGS = ("front", "three-quarter", "back")
HOLDABLE = ("mug", "ball", "teddy bear", "vase", "umbrella", "toy car", "guitar")
ASPECTS = (4 / 3, 3 / 2, 3 / 4)

# How large an item is drawn beside a person of height 1 (a cartoon's sizes: a mug must be seen).
_ITEM_SIZE = {"dog": 0.46, "cat": 0.4, "rabbit": 0.34, "bicycle": 0.75, "umbrella": 0.46, "guitar": 0.46}
_DEFAULT_ITEM_SIZE = 0.33


@dataclass
class Actor:
    """One entity in one photo. (x, base) is where it stands, in photo units; `size` its full height."""

    entity: Person | Item
    x: float
    base: float
    size: float
    main: bool = True
    flip: bool = False
    activity: str = "standing"
    garment: str | None = None
    color: str | None = None
    trousers: int = 0
    facing: str = "front"
    yaw: float = 0.0
    roll: float = 0.0
    expression: str = "smiling"
    carried_by: str | None = None  # key of the person who holds or rides it
    carries: str | None = None  # key of the item held or ridden


@dataclass
class Camera:
    """What stands between the scene and the pixels; lengths in photo units, the rest as factors."""

    exposure: float = 1.0
    contrast: float = 1.0
    balance: tuple[float, float, float] = (1.0, 1.0, 1.0)
    blur: float = 0.0
    noise: float = 0.0


@dataclass
class Scene:
    """One photo: `actors` from back to front; `seed` fixes every detail of the background."""

    aspect: float
    place: str
    daytime: str
    weather: str
    horizon: float
    seed: int
    actors: list[Actor] = field(default_factory=list)
    camera: Camera = field(default_factory=Camera)

    def actor(self, key: str) -> Actor:
        """The actor that plays the entity `key`; KeyError if it is not in the photo."""
        for actor in self.actors:
            if actor.entity.key == key:
                return actor
        raise KeyError(key)


def sample_scene(
    rng: np.random.Generator,
    people: Sequence[Person] | None = None,
    items: Sequence[Item] | None = None,
    *,
    aspect: float | None = None,
    strangers: bool = True,
    place: str | None = None,
    facing: str | None = None,
) -> Scene:
    """Draw a scene.

    `people` and `items`, where given, are exactly the main actors (at most three between them stand
    apart; a held or ridden item stands with its person); None draws random ones. `strangers` allows small
    people in the background. `facing` fixes where all main people look.
    """
    place = place or str(rng.choice(PLACES))
    indoors = place in INDOORS
    scene = Scene(
        aspect=aspect or float(rng.choice(ASPECTS, p=[0.6, 0.2, 0.2])),
        place=place,
        daytime=str(rng.choice(DAYTIMES, p=[0.55, 0.2, 0.17, 0.08])),
        weather="clear" if indoors else str(rng.choice(WEATHERS, p=[0.6, 0.22, 0.1, 0.08])),
        horizon=float(rng.uniform(0.46, 0.6)),
        seed=int(rng.integers(1 << 31)),
        camera=_sample_camera(rng),
    )
    if people is None:
        people = [
            sample_person(rng) for _ in range(int(rng.choice([0, 1, 2, 3], p=[0.14, 0.44, 0.28, 0.14])))
        ]
    if items is None:
        most = 2 if len(people) < 2 else 1
        items = [sample_item(rng) for _ in range(int(rng.integers(0 if people else 1, most + 1)))]
    main = _place_main(rng, scene, list(people), list(items), facing)
    behind = _place_strangers(rng, scene, main) if strangers and not indoors and rng.random() < 0.25 else []
    scene.actors = behind + main
    return scene


def _place_main(
    rng: np.random.Generator, scene: Scene, people: list[Person], items: list[Item], facing: str | None
) -> list[Actor]:
    carried = _carry(rng, people, items)
    standing: list[Person | Item] = [*people, *(i for i in items if i.key not in carried)]
    columns = _columns(rng, len(standing))
    width = scene.aspect / (1 if len(standing) == 1 else max(len(standing), 2.8))
    close = len(standing) == 1 and rng.random() < 0.4
    actors: list[Actor] = []
    for entity, column in zip(standing, columns, strict=True):
        x = scene.aspect * column
        if isinstance(entity, Person):
            item = next((i for i in items if carried.get(i.key) == entity.key), None)
            actor = _person_actor(rng, entity, x, width, close and _goes_close(item), item)
            _turn(rng, actor, facing)
            actors.append(actor)
            if item is not None:
                actors.append(_carried_actor(rng, actor, item))
        else:
            actors.append(_item_actor(rng, entity, x, width, close, alone=not people))
    order = sorted((a for a in actors if a.carried_by is None), key=lambda a: a.base)
    return [part for a in order for part in _with_carried(a, actors)]


def _with_carried(actor: Actor, actors: list[Actor]) -> list[Actor]:
    item = next((a for a in actors if a.carried_by == actor.entity.key), None)
    if item is None:
        return [actor]
    # A bicycle is ridden, and an umbrella opened, behind the body; what hands hold is in front of it.
    behind = actor.activity == "riding" or item.entity.category == "umbrella"
    return [item, actor] if behind else [actor, item]


def _carry(rng: np.random.Generator, people: list[Person], items: list[Item]) -> dict[str, str]:
    """Which items are held or ridden by whom: item key -> person key."""
    carried: dict[str, str] = {}
    free = [p.key for p in people]
    for item in items:
        overfull = len(people) + len(items) - len(carried) > 3
        fits = item.category in HOLDABLE or item.category == "bicycle"
        if free and fits and (overfull or rng.random() < 0.5):
            carried[item.key] = free.pop(int(rng.integers(len(free))))
    return carried


def _columns(rng: np.random.Generator, count: int) -> list[float]:
    """Where `count` actors stand, as parts of the width, in random order, well inside different thirds."""
    if count > 3:
        even = (np.arange(count) + 0.5) / count
        return [float(c) for c in rng.permutation(even)]
    thirds = [rng.uniform(0.17, 0.27), rng.uniform(0.44, 0.56), rng.uniform(0.73, 0.83)]
    return [float(thirds[i]) for i in rng.permutation(3)[:count]]


def _goes_close(item: Item | None) -> bool:
    return item is None or item.category != "bicycle"


def _person_actor(
    rng: np.random.Generator, person: Person, x: float, width: float, close: bool, item: Item | None
) -> Actor:
    garments = GARMENTS if person.sex == "female" else GARMENTS[:4]
    activity = _activity(rng, close, item)
    size = rng.uniform(0.62, 0.86) if not close else rng.uniform(1.0, 1.75)
    size = min(
        size * (0.93 if person.age == "child" and not close else 1.0),
        width / (0.82 if activity == "riding" else 0.46),
    )
    base = rng.uniform(0.88, 0.97) if not close else rng.uniform(0.1, 0.16) + size
    return Actor(
        entity=person,
        x=x,
        base=float(base),
        size=float(size * (1 + 0.05 * person.height)),
        flip=bool(rng.random() < 0.5),
        activity=activity,
        garment=str(rng.choice(garments)),
        color=str(rng.choice(list(COLORS))),
        trousers=int(rng.integers(4)),
        roll=float(rng.normal(0, 0.05)),
        expression=str(rng.choice(EXPRESSIONS, p=[0.4, 0.2, 0.25, 0.15])),
        carries=item.key if item else None,
    )


def _activity(rng: np.random.Generator, close: bool, item: Item | None) -> str:
    if item is not None:
        return "riding" if item.category == "bicycle" else "holding"
    # A close-up shows no legs: what only legs tell is not done there.
    return str(rng.choice(["standing", "waving"] if close else ["standing", "sitting", "waving", "walking"]))


def _turn(rng: np.random.Generator, actor: Actor, facing: str | None) -> None:
    # Seen from behind, a body would hide what it holds.
    odds = [0.64, 0.28, 0.08] if actor.carries is None else [0.68, 0.32, 0.0]
    actor.facing = facing or str(rng.choice(FACINGS, p=odds))
    side = 1.0 if rng.random() < 0.5 else -1.0
    low, high = {"front": (0.0, 0.22), "three-quarter": (0.45, 0.85), "back": (0.0, 0.3)}[actor.facing]
    actor.yaw = float(side * rng.uniform(low, high))


def _carried_actor(rng: np.random.Generator, person: Actor, item: Item) -> Actor:
    """The item in its carrier's hands, or under the saddle (see `bodies` for where hands and hips are)."""
    if person.activity == "riding":
        size = person.size * _ITEM_SIZE["bicycle"]
        person.base -= 0.07 * person.size
        return Actor(
            item,
            person.x,
            person.base + 0.07 * person.size,
            size,
            flip=person.flip,
            carried_by=person.entity.key,
        )
    part, lift, aside = {"umbrella": (0.62, 0.5, 0.09), "guitar": (0.38, 0.29, 0.0)}.get(
        item.category, (0.24, 0.44, 0.0)
    )
    size = person.size * part
    base = person.base - person.size * lift
    x = person.x + person.size * (-aside if person.flip else aside)
    return Actor(item, float(x), float(base), float(size), flip=person.flip, carried_by=person.entity.key)


def _item_actor(
    rng: np.random.Generator, item: Item, x: float, width: float, close: bool, alone: bool
) -> Actor:
    part = _ITEM_SIZE.get(item.category, _DEFAULT_ITEM_SIZE)
    size = part * rng.uniform(0.75, 1.1) * (1.25 if alone else 0.9)
    if close:
        size = part * rng.uniform(1.3, 1.9)
    wide = 1.45 if item.category in ("bicycle", "dog", "cat", "toy car") else 0.9
    size = min(size, width / wide * 0.9, 0.8)
    base = rng.uniform(0.86, 0.97) if not close else rng.uniform(0.8, 0.92)
    activity = str(rng.choice(["standing", "sitting"])) if item.kind == "pet" else "standing"
    return Actor(item, x, float(base), float(size), flip=bool(rng.random() < 0.5), activity=activity)


def _place_strangers(rng: np.random.Generator, scene: Scene, main: list[Actor]) -> list[Actor]:
    """Small people behind, where no main actor stands."""
    strangers: list[Actor] = []
    for _ in range(int(rng.integers(1, 4))):
        person = sample_person(rng)
        size = float(rng.uniform(0.2, 0.34))
        x = float(rng.uniform(0.06, 0.94)) * scene.aspect
        crowded = [abs(x - a.x) < 0.24 * max(a.size, 0.5) + 0.5 * size for a in main]
        if any(crowded) or any(abs(x - s.x) < 0.2 for s in strangers):
            continue
        actor = _person_actor(rng, person, x, 1.0, False, None)
        actor.size, actor.base, actor.main = size, scene.horizon + 0.09 + 0.5 * size * 0.4, False
        _turn(rng, actor, None)
        strangers.append(actor)
    return sorted(strangers, key=lambda a: a.base)


def _sample_camera(rng: np.random.Generator) -> Camera:
    red, blue = np.exp(rng.normal(0, 0.035, 2))
    return Camera(
        exposure=float(np.exp(rng.normal(0, 0.13))),
        contrast=float(rng.uniform(0.88, 1.1)),
        balance=(float(red), 1.0, float(blue)),
        blur=float(rng.choice([0.0, rng.uniform(0.0004, 0.0018)], p=[0.75, 0.25])),
        noise=float(rng.choice([rng.uniform(0.0, 0.012), rng.uniform(0.012, 0.035)], p=[0.75, 0.25])),
    )
