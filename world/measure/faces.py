"""How well the pocket face pack finds and tells faces: detection, verification, people from four photos.

People, photos and scenes come from a seed that no recipe uses. What does not live here: running the pack
(`faces_trial.py`) and choosing its threshold (`world/train/faces.py`, on people of its own).
"""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .faces_trial import Appearance, Trial, run_trial
from .figure import Figure

PACK = Path(__file__).parents[1] / "weights" / "faces"
SEED = 3_000_000
"""Recipes draw their people from other seeds."""
FAMILIES, PHOTOS = 64, 12
BARS: dict[str, float | None] = {
    "face detection recall": 0.98,
    "face detection precision": 0.98,
    "face verification true accepts": 0.97,
    "face verification true accepts, from further away too": None,
    "face verification true accepts against siblings": None,
    "people recall": 0.964,
    "people wrong": 0.023,
    "people strangers taken": 0.023,
    "people siblings taken": None,
}
"""The figures in their order, and what each has to reach; siblings are reported only."""
LOWER_IS_BETTER = frozenset({"people wrong", "people strangers taken", "people siblings taken"})
FALSE_ACCEPTS = 1e-3
KEPT = 4
"""Photos that a person is learned from (MyVLM, section 4.1)."""
PANEL = 16
"""People known at once: as many as the paper has."""
ROUNDS = 40


def figures(pack: Path = PACK) -> dict[str, Figure]:
    """The three rows that the face pack has to reach, and what else is worth knowing."""
    threshold = json.loads((pack / "pack.json").read_text())["person_threshold"]
    trial = run_trial(pack, SEED, FAMILIES, PHOTOS)
    found = [a for a in trial.appearances if a.embedding is not None]
    near = Trial([a for a in trial.appearances if not a.far], siblings=trial.siblings)
    accepts = verification(near)
    people = recognise(trial, threshold)
    values = (
        len(found) / len(trial.appearances),
        len(found) / (len(found) + trial.false_detections),
        accepts.true,
        verification(trial).true,
        accepts.siblings,
        people.recall,
        people.wrong,
        people.strangers,
        people.siblings,
    )
    return {
        name: Figure(value, bar, higher_is_better=name not in LOWER_IS_BETTER)
        for (name, bar), value in zip(BARS.items(), values, strict=True)
    }


@dataclass(frozen=True)
class Verification:
    """True accepts at FALSE_ACCEPTS, of pairs of one person's faces.

    `true`: false accepts are counted among pairs of unrelated people; `siblings`: among pairs of siblings
    alone.
    """

    true: float
    siblings: float


def verification(trial: Trial, rate: float = FALSE_ACCEPTS) -> Verification:
    """Compare every two found faces of different photos."""
    faces = [a for a in trial.appearances if a.embedding is not None]
    cosine = _embeddings(faces) @ _embeddings(faces).T
    person = np.unique([a.person for a in faces], return_inverse=True)[1]
    index = {a.person: int(number) for a, number in zip(faces, person, strict=True)}
    later = np.triu(np.ones_like(cosine, bool), 1)
    same = later & (person[:, None] == person[None])
    related = np.zeros_like(later)
    for pair in trial.siblings:
        a, b = (person == index.get(key, -1) for key in pair)
        related |= later & (np.outer(a, b) | np.outer(b, a))
    unrelated = later & ~same & ~related
    return Verification(
        _true_accepts(cosine[same], cosine[unrelated], rate),
        _true_accepts(cosine[same], cosine[related], rate),
    )


def _true_accepts(same: NDArray[np.float32], other: NDArray[np.float32], rate: float) -> float:
    return float((same > np.quantile(other, 1 - rate)).mean()) if other.size else 1.0


@dataclass(frozen=True)
class People:
    """People told by the smallest cosine distance to four kept embeddings, at one threshold.

    `recall`, `wrong` and `missed` are of the panel's own faces and sum to 1, as the paper counts them (table
    7): the nearest person within the threshold is the right one, is another one, or there is none.
    `strangers` and `siblings` are the parts of other people's faces that somebody of the panel is seen in: of
    people unrelated to the panel, and of siblings of its members taken for these members.
    """

    recall: float
    wrong: float
    missed: float
    strangers: float
    siblings: float


def recognise(trial: Trial, threshold: float, seed: int = 0, rounds: int = ROUNDS) -> People:
    """Draw panels of PANEL unrelated people with KEPT photos each, `rounds` times; tell every other face."""
    rng = np.random.default_rng(seed)
    by_person: dict[str, list[Appearance]] = defaultdict(list)
    for appearance in trial.appearances:
        by_person[appearance.person].append(appearance)
    known = [p for p in sorted(by_person) if sum(a.embedding is not None for a in by_person[p]) > KEPT]
    relatives = {a: b for pair in trial.siblings for a, b in (sorted(pair), sorted(pair)[::-1])}
    tally: dict[str, int] = defaultdict(int)
    for _ in range(rounds):
        panel = _panel(rng, known, relatives)
        kept = {person: _kept(rng, by_person[person]) for person in panel}
        bank = np.stack([_embeddings(kept[person]) for person in panel])
        own = {id(a) for chosen in kept.values() for a in chosen}
        for appearance in trial.appearances:
            if id(appearance) not in own:
                tally[_verdict(appearance, panel, bank, threshold, relatives)] += 1
    mine = max(1, tally["right"] + tally["wrong"] + tally["missed"])
    return People(
        tally["right"] / mine,
        tally["wrong"] / mine,
        tally["missed"] / mine,
        tally["taken"] / max(1, tally["taken"] + tally["left"]),
        tally["sibling taken"] / max(1, tally["sibling taken"] + tally["sibling left"]),
    )


def _panel(rng: np.random.Generator, known: Sequence[str], relatives: dict[str, str]) -> list[str]:
    panel: list[str] = []
    for person in rng.permutation(known):
        if relatives.get(str(person)) not in panel and len(panel) < PANEL:
            panel.append(str(person))
    return panel


def _kept(rng: np.random.Generator, appearances: Sequence[Appearance]) -> list[Appearance]:
    found = [a for a in appearances if a.embedding is not None]
    return [found[i] for i in rng.permutation(len(found))[:KEPT]]


def _verdict(
    face: Appearance,
    panel: list[str],
    bank: NDArray[np.float32],
    threshold: float,
    relatives: dict[str, str],
) -> str:
    """What becomes of one face; `bank` is (PANEL, KEPT, 512)."""
    member = face.person in panel
    if face.embedding is None:
        return "missed" if member else "left"
    distance = (1 - bank @ face.embedding).min(axis=1)
    nearest = int(distance.argmin())
    fires = bool(distance[nearest] <= threshold)
    if member:
        return ("right" if panel[nearest] == face.person else "wrong") if fires else "missed"
    sibling = relatives.get(face.person)
    if sibling in panel:
        return "sibling taken" if distance[panel.index(sibling)] <= threshold else "sibling left"
    return "taken" if fires else "left"


def _embeddings(faces: Sequence[Appearance]) -> NDArray[np.float32]:
    return np.stack([face.embedding for face in faces if face.embedding is not None])
