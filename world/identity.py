"""Who a person is: everything about them that stays the same from photo to photo.

What does not live here: clothes, pose, expression and place, which belong to a photo (`scene`).
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from .paint import Color, mix, shade

AGES = ("child", "adult", "old")
HAIR_COLORS: dict[str, Color] = {
    "black": (30, 25, 26),
    "brown": (98, 62, 34),
    "blond": (226, 192, 110),
    "red": (178, 74, 32),
    "gray": (158, 156, 156),
}
HAIR_STYLES = {
    "male": ("short", "curly", "spiky", "long", "bald"),
    "female": ("long", "curly", "bun", "bob", "ponytail"),
}
BEARDS = ("none", "full", "goatee", "moustache")
GLASSES = ("none", "round", "square")
EYE_COLORS: tuple[Color, ...] = ((70, 44, 24), (62, 110, 170), (70, 130, 80), (120, 125, 130), (140, 95, 40))
# From light to dark; an identity lies anywhere on the line through them.
_SKIN_RAMP: tuple[Color, ...] = (
    (252, 224, 200),
    (236, 192, 158),
    (204, 152, 112),
    (150, 100, 68),
    (96, 62, 44),
)
IDENTITY_DIM = 51


@dataclass(frozen=True)
class Person:
    """One identity. The numbers are in [-1, 1] unless said otherwise; `figures` turns them into shapes."""

    key: str
    age: str
    sex: str
    hair_color: str
    hair_style: str
    beard_style: str
    glasses_style: str
    eye_color: int
    freckled: bool
    skin_tone: float  # 0 light .. 1 dark
    skin_warmth: float
    hair_tint: float
    height: float
    build: float
    face_width: float
    jaw: float
    chin: float
    ears: float
    eye_spacing: float
    eye_size: float
    eye_tilt: float
    eye_height: float
    brow_weight: float
    brow_tilt: float
    brow_height: float
    nose_length: float
    nose_width: float
    mouth_width: float
    mouth_height: float
    lips: float
    lip_tone: float
    fringe: float
    hair_volume: float
    mole_u: float
    mole_v: float
    glasses_tone: float

    @property
    def kind(self) -> str:
        """Always "person": people, pets and things share this attribute."""
        return "person"

    @property
    def category(self) -> str:
        """The class word: man, woman, boy or girl."""
        return self.noun

    @property
    def noun(self) -> str:
        """The class word: man, woman, boy or girl."""
        if self.age == "child":
            return "boy" if self.sex == "male" else "girl"
        return "man" if self.sex == "male" else "woman"

    @property
    def glasses(self) -> bool:
        """Whether the person wears glasses, in every photo."""
        return self.glasses_style != "none"

    @property
    def beard(self) -> bool:
        """Whether there is any hair below the nose."""
        return self.beard_style != "none"

    @property
    def freckles(self) -> bool:
        """Whether cheeks and nose carry freckles."""
        return self.freckled

    @property
    def skin(self) -> Color:
        """Skin colour, RGB."""
        position = self.skin_tone * (len(_SKIN_RAMP) - 1)
        low = min(int(position), len(_SKIN_RAMP) - 2)
        red, green, blue = mix(_SKIN_RAMP[low], _SKIN_RAMP[low + 1], position - low)
        return (red, green + 5 * self.skin_warmth, blue - 10 * self.skin_warmth)

    @property
    def hair_rgb(self) -> Color:
        """Hair colour, RGB: the named colour with the person's own tint."""
        return shade(HAIR_COLORS[self.hair_color], 1 + 0.16 * self.hair_tint)

    @property
    def eye_rgb(self) -> Color:
        """Iris colour, RGB."""
        return EYE_COLORS[self.eye_color]

    def vector(self) -> NDArray[np.float32]:
        """Everything that makes up the identity, float32 (IDENTITY_DIM,), each about in [-1, 1].

        Categories are one-hot (-1 / 1); what a style hides (the hair colour of a bald head) is 0.
        """
        parts = [
            one_hot(self.age, AGES),
            one_hot(self.sex, ("male", "female")),
            one_hot(self.hair_color, tuple(HAIR_COLORS)) * (0.0 if self.hair_style == "bald" else 1.0),
            one_hot(self.hair_style, ("short", "curly", "spiky", "long", "bald", "bun", "bob", "ponytail")),
            one_hot(self.beard_style, BEARDS),
            one_hot(self.glasses_style, GLASSES),
            one_hot(str(self.eye_color), tuple(str(i) for i in range(len(EYE_COLORS)))),
            np.array([1.0 if self.freckled else -1.0, self.skin_tone * 2 - 1]),
            np.array([getattr(self, name) for name in _CONTINUOUS if name not in _UNSEEN]),
        ]
        return np.concatenate(parts).astype(np.float32)


_CONTINUOUS = tuple(f.name for f in fields(Person))[10:]  # every number after skin_tone
# Not to be told from a face: they shape the body, or show in few styles only.
_UNSEEN = frozenset({"height", "build", "mole_u", "mole_v", "glasses_tone", "hair_volume", "fringe"})


def sample_person(rng: np.random.Generator, age: str | None = None, sex: str | None = None) -> Person:
    """Draw an identity; `age` and `sex` can be fixed."""
    sex = sex or str(rng.choice(["male", "female"]))
    age = age or str(rng.choice(AGES, p=[0.25, 0.55, 0.2]))
    numbers = {name: float(rng.uniform(-1, 1)) for name in _CONTINUOUS}
    styles = [s for s in HAIR_STYLES[sex] if s != "bald" or age != "child"]
    bearded = sex == "male" and age != "child" and rng.random() < 0.5
    return Person(
        key=f"person-{rng.integers(1 << 48):012x}",
        age=age,
        sex=sex,
        hair_color=str(rng.choice(list(HAIR_COLORS), p=_hair_odds(age))),
        hair_style=str(rng.choice(styles)),
        beard_style=str(rng.choice(BEARDS[1:])) if bearded else "none",
        glasses_style=str(rng.choice(GLASSES, p=[0.62, 0.19, 0.19])),
        eye_color=int(rng.integers(len(EYE_COLORS))),
        freckled=bool(rng.random() < 0.22),
        skin_tone=float(rng.uniform(0, 1)),
        **numbers,
    )


def sample_sibling(person: Person, rng: np.random.Generator) -> Person:
    """Nearly the same identity: colours and age stay, the face differs a little, one habit changes."""
    changed: dict[str, object] = {
        name: float(np.clip(getattr(person, name) + rng.normal(0, 0.35), -1, 1)) for name in _CONTINUOUS
    }
    changed["skin_tone"] = float(np.clip(person.skin_tone + rng.normal(0, 0.03), 0, 1))
    habit = str(rng.choice(["hair_style", "glasses_style", "freckled"]))
    if habit == "hair_style":
        styles = [s for s in HAIR_STYLES[person.sex] if s not in ("bald", person.hair_style)]
        changed["hair_style"] = str(rng.choice(styles))
    elif habit == "glasses_style":
        changed["glasses_style"] = str(rng.choice([g for g in GLASSES if g != person.glasses_style]))
    else:
        changed["freckled"] = not person.freckled
    return replace(person, key=f"person-{rng.integers(1 << 48):012x}", **changed)  # type: ignore[arg-type]


def _hair_odds(age: str) -> list[float]:
    if age == "old":
        return [0.06, 0.08, 0.06, 0.0, 0.8]
    return [0.28, 0.28, 0.24, 0.2, 0.0]


def one_hot(value: str, values: tuple[str, ...]) -> NDArray[np.float64]:
    """A vector with 1 where `value` stands among `values` and -1 elsewhere."""
    return np.array([1.0 if v == value else -1.0 for v in values])
