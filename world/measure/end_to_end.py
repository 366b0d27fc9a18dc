"""What must hold of the whole: learn, run and tell, through the installed command line, on any seed.

Each figure stands beside its bar; figures without one are there to compare with. What does not live here:
doing it (`household.py`), judging it (`judge.py`), asking the plain model (`plain_model.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from ...schemas.settings import WAYS, Settings
from ...stages.vlm.words import says
from . import judge
from .figure import Figure
from .household import Household, settled
from .judge import Photo, Tally
from .plain_model import PlainModel

_MARGIN = 0.03  # words about a concept may be right so much less often than the plain model's
_WORDS = ("clothes", "activity", "place")
_ANSWERS = {
    "wearing alone": 0.92,
    "wearing among several": 0.80,
    "doing": 0.90,
    "where": 0.92,
    "next_to": 0.75,
    "color": None,
}


def figures(seed: int, photos: int, folder: Path | None = None) -> dict[str, Figure]:
    """Every figure of a sample library of that seed and size; `folder` keeps it."""
    with settled(seed, photos, folder) as household:
        return measure(household)


def measure(household: Household, compared: Sequence[str] = WAYS) -> dict[str, Figure]:
    """Every figure of a household; it is told anew in each of the ways that are `compared`."""
    usual = Settings().people
    ways = {usual: _read(household)}
    for way in compared:
        if way != usual:
            household.run("--people", way)
            ways[way] = _read(household)
    model = PlainModel(household)
    return (
        _recognition(ways[usual], household)
        | _names(ways[usual], model)
        | _words(ways[usual], model)
        | _unchanged(ways[usual], model)
        | _answers(ways[usual])
        | _compared(ways)
    )


def _read(household: Household) -> list[Photo]:
    return judge.read_photos(household.sql, household.sample)


def _recognition(photos: Sequence[Photo], household: Household) -> dict[str, Figure]:
    people = judge.judge_people(photos)
    objects = judge.judge_objects(photos, household.objects)
    sent = sum(bool(photo.caption) for photo in photos)
    return {
        "people found": Figure(people["found"].share, 0.964),
        "people taken for another": Figure(people["wrong"].share, 0.023, higher_is_better=False),
        "strangers taken for someone known": Figure(people["strangers"].share, higher_is_better=False),
        "pets and things found": Figure(objects["found"].share, 0.966),
        "photos without them rejected": Figure(objects["rejected"].share, 0.99),
        "photos sent to the model that no head fired on": Figure(
            judge.sent_in_vain(photos) / max(1, sent), 0.0, higher_is_better=False
        ),
    }


def _names(told: Sequence[Photo], model: PlainModel) -> dict[str, Figure]:
    """Recall of names; captions are asked for without any name, so that none can be said back."""
    asked = judge.judge_names(told)
    pairs = [(photo, name) for photo in told for name in photo.shown if name in photo.hits]
    photos, names = [photo for photo, _ in pairs], [name for _, name in pairs]
    identifiers = [model.identifiers[name] for name in names]
    said = {
        "plain model": model.captions(photos),
        "instruction with the name": model.named_captions(photos, names, vectors=True),
        "instruction with the name, plain model": model.named_captions(photos, names, vectors=False),
    }
    return {
        "names in captions": Figure(asked["shown"].share, 0.96),
        "names in captions, where the head fired": Figure(asked["fired"].share),
        "names in captions, the model's own words": Figure(asked["own"].share),
        **{
            f"names in captions, {way}": Figure(_share(map(says, captions, identifiers)))
            for way, captions in said.items()
        },
    }


def _words(told: Sequence[Photo], model: PlainModel) -> dict[str, Figure]:
    """Words about a concept in the captions that name it, against the plain model's on the same photos."""
    mine, others = _word_tallies(told, model)
    together, theirs = _sum(mine), _sum(others)
    return {
        "words about a concept": Figure(together.share, theirs.share - _MARGIN),
        "words about a concept, plain model": Figure(theirs.share),
        **{f"words about a concept, {word}": Figure(mine[word].share) for word in _WORDS},
        **{f"words about a concept, {word}, plain model": Figure(others[word].share) for word in _WORDS},
    }


def _word_tallies(photos: Sequence[Photo], model: PlainModel) -> tuple[dict[str, Tally], dict[str, Tally]]:
    mine, others = ({word: Tally() for word in _WORDS} for _ in range(2))
    pairs = list(judge.named(photos))
    plain = model.captions([photo for photo, _ in pairs])
    for (photo, row), caption in zip(pairs, plain, strict=True):
        for word, right in judge.judge_words(photo.caption, row, row["concept"]).items():
            mine[word].add(right)
        for word, right in judge.judge_words(caption, row, row["category"]).items():
            others[word].add(right)
    return mine, others


def _unchanged(photos: Sequence[Photo], model: PlainModel) -> dict[str, Figure]:
    """Photos without a concept, in a batch with others: the stock model's own words, every one."""
    without = [photo for photo in photos if not photo.hits]
    said = model.beside(without, [photo for photo in photos if photo.hits])
    same = [one == other for one, other in zip(said, model.stock_captions(without), strict=True)]
    return {"captions of photos without a concept unchanged": Figure(_share(same), 1.0)}


def _answers(photos: Sequence[Photo]) -> dict[str, Figure]:
    answers = judge.judge_answers(photos)
    made = {
        f"answers: {topic.replace('_', ' ')}": Figure(answers.get(topic, Tally()).share, bar)
        for topic, bar in _ANSWERS.items()
    }
    return made | {"boxes, IoU of at least 0.5": Figure(judge.judge_boxes(photos).share, 0.85)}


def _compared(ways: dict[str, list[Photo]]) -> dict[str, Figure]:
    """The ways to tell people apart, side by side, on photos with several of them."""
    made: dict[str, Figure] = {}
    for way, photos in ways.items():
        several = [photo for photo in photos if photo.people > 1]
        clothes = [
            judge.judge_words(photo.caption, row, row["concept"])["clothes"]
            for photo, row in judge.named(several)
            if row["kind"] == "person"
        ]
        answers, names = judge.judge_answers(several), judge.judge_names(several)
        made |= {
            f"{way}, among several: clothes in captions": Figure(_share(clothes)),
            f"{way}, among several: names in captions": Figure(names["fired"].share),
            f"{way}, among several: names in the model's own words": Figure(names["own"].share),
            f"{way}, among several: wearing": Figure(answers.get("wearing among several", Tally()).share),
            f"{way}, among several: doing": Figure(answers.get("doing", Tally()).share),
            f"{way}, among several: boxes": Figure(judge.judge_boxes(several).share),
        }
    return made


def _sum(tallies: dict[str, Tally]) -> Tally:
    return Tally(sum(t.right for t in tallies.values()), sum(t.asked for t in tallies.values()))


def _share(right: Iterable[bool]) -> float:
    tally = Tally()
    for one in right:
        tally.add(one)
    return tally.share
