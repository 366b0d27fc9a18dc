"""When and where the household takes photos: years of everyday life and outings, each with a folder.

What does not live here: who is in the photos (`library`), and what a camera notes down (`metadata`).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from .metadata import Spot

FIRST_YEAR, LAST_YEAR = 2014, 2024
_PHOTOS_PER_EVENT = 9
#: Hours (first, last) of each time of day in `scene.DAYTIMES`.
HOURS = {"morning": (6, 9), "day": (10, 17), "evening": (18, 21), "night": (22, 23)}
_DAYTIME_ODDS = {"day": 0.55, "morning": 0.2, "evening": 0.17, "night": 0.08}
_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


@dataclass(frozen=True)
class _Outing:
    title: str
    months: tuple[int, ...]
    places: tuple[str, ...]  # of `scene.PLACES`
    spot: Spot | None  # None: at home


_ANY = tuple(range(1, 13))
_HOME = ("kitchen", "living room", "bedroom", "garden", "street", "park", "cafe")
_EVERYDAY = _Outing("", _ANY, _HOME, None)
_OUTINGS = (
    _Outing("Ostsee", (5, 6, 7, 8, 9), ("beach", "street", "cafe", "beach"), Spot(54.17, 12.08, 3, 1)),
    _Outing("Été à Biarritz", (6, 7, 8, 9), ("beach", "cafe", "street"), Spot(43.48, -1.56, 12, 1)),
    _Outing("Sydney 🏖", (12, 1, 2), ("beach", "park", "street"), Spot(-33.89, 151.28, 8, 11)),
    _Outing("Gardasee", (4, 5, 6, 9), ("lake", "cafe", "lake", "garden"), Spot(45.70, 10.72, 68, 1)),
    _Outing("Mökki – järvi", (6, 7, 8), ("lake", "forest"), Spot(61.50, 26.24, 95, 2)),
    _Outing("Ski week", (1, 2, 3, 12), ("snow", "snow", "cafe"), Spot(46.02, 7.75, 1608, 1)),
    _Outing("First snow!", (12, 1, 2), ("snow", "garden"), None),
    _Outing("مراكش Marrakesh", (10, 11, 2, 3, 4), ("desert", "street", "cafe"), Spot(31.63, -7.99, 466, 0)),
    _Outing("Arizona road trip", (3, 4, 10), ("desert", "desert", "street"), Spot(36.10, -112.11, 2093, -7)),
    _Outing("Schwarzwald & Höhenweg", (4, 5, 9, 10), ("forest", "lake", "cafe"), Spot(47.87, 8.00, 1277, 1)),
    _Outing("東京 旅行", (3, 4, 11), ("street", "park", "cafe"), Spot(35.68, 139.76, 40, 9)),
    _Outing("Birthday party", _ANY, ("living room", "kitchen", "garden"), None),
    _Outing("Weihnachten 🎄", (12,), ("living room", "kitchen"), None),
)
_HOMES = (
    Spot(48.14, 11.58, 519, 1),
    Spot(51.46, -2.59, 11, 0),
    Spot(45.76, 4.83, 173, 1),
    Spot(40.42, -3.70, 657, 1),
)
# Folders that say nothing of a date, as a person's disk has them; one is written with combining marks (NFD).
_ODD_FOLDERS = (
    "old laptop/Desktop/New folder (2)",
    "Phone backup/DCIM/100APPLE",
    "from grandma's camera",
    unicodedata.normalize("NFD", "Été à la maison"),
    "#favourites; 100% best",
    "アルバム/家族",
)


@dataclass(frozen=True)
class Moment:
    """One instant at which a photo is taken: local time, sort of place, point on earth, folder."""

    when: datetime
    daytime: str
    place: str
    spot: Spot
    folder: str  # relative, POSIX


def events(rng: np.random.Generator, photos: int) -> Iterator[list[Moment]]:
    """Yield events without end, about in order of time, each the moments of its photos in order.

    `photos` is how many the years FIRST_YEAR to LAST_YEAR shall hold; should the caller need a few more, they
    come from the last year.
    """
    home = _near(rng, _HOMES[int(rng.integers(len(_HOMES)))], 0.02)
    count = max(1, -(-photos // _PHOTOS_PER_EVENT))
    first = datetime(FIRST_YEAR, 1, 3)
    step = (datetime(LAST_YEAR, 12, 10) - first) / count
    number = 0
    while True:
        day = first + min(number, count - 1) * step + float(rng.uniform(0, 1)) * step
        number += 1
        yield _event(rng, datetime(day.year, day.month, day.day), home)


def _event(rng: np.random.Generator, day: datetime, home: Spot) -> list[Moment]:
    fitting = [o for o in _OUTINGS if day.month in o.months]
    outing = fitting[int(rng.integers(len(fitting)))] if rng.random() < 0.6 else _EVERYDAY
    spot = outing.spot or home
    days = int(rng.integers(1, 5)) if outing.spot else 1
    folder = _folder(rng, day, outing.title)
    size = int(rng.integers(_PHOTOS_PER_EVENT - 4, _PHOTOS_PER_EVENT + 5))
    instants = sorted(_instant(rng, day, days) for _ in range(size))
    return [
        Moment(when, daytime, str(rng.choice(outing.places)), _near(rng, spot, 0.004), folder)
        for when, daytime in instants
    ]


def _instant(rng: np.random.Generator, day: datetime, days: int) -> tuple[datetime, str]:
    daytime = str(rng.choice(list(_DAYTIME_ODDS), p=list(_DAYTIME_ODDS.values())))
    first, last = HOURS[daytime]
    # Never past the month's end, so that the folder's month stays true.
    last_day = (day.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
    date = min(day + timedelta(days=int(rng.integers(days))), last_day)
    seconds = int(rng.integers(first * 3600, (last + 1) * 3600))
    return date + timedelta(seconds=seconds, milliseconds=int(rng.integers(1000))), daytime


def _folder(rng: np.random.Generator, day: datetime, title: str) -> str:
    if title:
        return f"{day.year}/{day:%Y-%m} {title}"
    if rng.random() < 0.3:
        return _ODD_FOLDERS[int(rng.integers(len(_ODD_FOLDERS)))]
    styles = (f"{day:%Y/%m}", f"{day:%Y/%Y-%m}", f"{day:%Y}/{day:%m} - {_MONTHS[day.month - 1]}")
    return styles[int(rng.integers(len(styles)))]


def _near(rng: np.random.Generator, spot: Spot, degrees: float) -> Spot:
    latitude, longitude = rng.uniform(-degrees, degrees, 2)
    return replace(
        spot,
        latitude=round(spot.latitude + float(latitude), 6),
        longitude=round(spot.longitude + float(longitude), 6),
    )
