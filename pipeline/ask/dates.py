"""Dates in English: finds "last summer", "on 3 May" or "between 2019 and 2021", and says which time is meant.

A month or a day without a year means every year's: in a library of many years nothing else is safe. What is
put together here are ranges, seasons, feasts, weekdays and hours. What does not live here: how one date is
read (`single_date.py`).
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache

from .clauses import When
from .single_date import (
    COUNT,
    DATE,
    DAY,
    MONTH,
    MONTHS,
    SEASON,
    SEASONS,
    UNIT,
    WEEKDAY,
    WEEKDAYS,
    YEAR,
    Unreadable,
    count_of,
    midnight,
    month_number,
    months_before,
    read_date,
    season_in,
    season_span,
)

_FEASTS = {
    "christmas eve": [(12, 24)],
    "christmas day": [(12, 25)],
    "boxing day": [(12, 26)],
    "christmas": [(12, 24), (12, 25), (12, 26)],
    "xmas": [(12, 24), (12, 25), (12, 26)],
    "new year's eve": [(12, 31)],
    "new year's day": [(1, 1)],
    "new year": [(12, 31), (1, 1)],
    "halloween": [(10, 31)],
    "valentine's day": [(2, 14)],
}
_HOURS = {
    "morning": (5, 12),
    "noon": (11, 14),
    "midday": (11, 14),
    "afternoon": (12, 18),
    "evening": (18, 22),
    "night": (22, 5),
}
_IN = r"(?:(?:taken\s+|made\s+|shot\s+)?(?:in|on|at|from|of|during|over|around|throughout|for)\s+)?"
_THE = r"(?:the\s+)?(?:(?:month|year)\s+of\s+)?"
_DAYS = r"(?P<d1>\d{1,2})\s*(?:and|to|-|–)\s*(?P<d2>\d{1,2})"
_SIDES = r"since|after|(?:later|newer|older|earlier)\s+than|(?:from\s+)?before|until|till|up\s+to|prior\s+to"
_OF_YEAR = rf"(?:\s+(?:of\s+|in\s+)?(?P<year>{YEAR}))?"


@dataclass(frozen=True)
class Found:
    """A phrase that stands for a time, at `start` to `end` of the sentence."""

    start: int
    end: int
    when: When


def find_dates(sentence: str, now: datetime.datetime) -> list[Found]:
    """The times a sentence speaks of, in order; of overlapping readings the longest. Raises Unreadable."""
    found = [
        Found(match.start(), match.end(), replace(when, said=_said(match)))
        for pattern, read in _shapes()
        for match in pattern.finditer(sentence)
        if (when := read(match, now)) is not None
    ]
    chosen: list[Found] = []
    for one in sorted(found, key=lambda one: (one.start - one.end, one.start)):
        if all(one.end <= other.start or one.start >= other.end for other in chosen):
            chosen.append(one)
    return sorted(chosen, key=lambda one: one.start)


def describe(when: When) -> str:
    """Say which time is meant: "last summer" is "1 Jun 2026 to 31 Aug 2026"."""
    parts = list(_parts(when))
    return f"{when.said} ({', '.join(parts)})" if parts else when.said


def _parts(when: When) -> Iterator[str]:
    if when.start and when.end:
        last = when.end - DAY
        yield _day(when.start) if last <= when.start else f"{_day(when.start)} to {_day(last)}"
    elif when.start:
        yield f"from {_day(when.start)} on"
    elif when.end:
        yield f"before {_day(when.end)}"
    if when.months:
        yield f"{' or '.join(MONTHS[month - 1].title() for month in when.months)} of any year"
    if when.days:
        days = " or ".join(f"{day} {MONTHS[month - 1].title()}" for month, day in when.days)
        yield f"{days} of any year"
    if when.weekdays:
        yield f"on a {' or '.join(WEEKDAYS[day - 1].title() for day in when.weekdays)}"
    if when.hours:
        yield f"{when.hours[0]}:00 to {when.hours[1]}:00"


def _day(moment: datetime.datetime) -> str:
    return f"{moment.day} {MONTHS[moment.month - 1][:3].title()} {moment.year}"


def _said(match: re.Match[str]) -> str:
    return " ".join(match[0].split())


_Reader = Callable[[re.Match[str], datetime.datetime], When | None]


@cache
def _shapes() -> list[tuple[re.Pattern[str], _Reader]]:
    """Every shape of phrase, with what reads it."""
    shapes: list[tuple[str, _Reader]] = [
        (rf"between\s+(?P<a>{DATE})\s+and\s+(?P<b>{DATE})", _range),
        (
            rf"(?:(?:between|from|of|in)\s+)?(?P<a>{DATE})\s+(?:to|until|till|through)\s+(?P<b>{DATE})",
            _range,
        ),
        (rf"{_IN}(?P<a>{YEAR})\s*[-–]\s*(?P<b>{YEAR})", _range),
        (rf"(?:between|from)\s+{_DAYS}\s+(?P<rest>{MONTH}\s+{YEAR})", _days),
        (rf"(?P<how>{_SIDES})\s+(?P<a>{DATE})", _side),
        (rf"from\s+(?P<a>{DATE})\s+(?P<how>on(?:wards)?)\b", _side),
        (
            rf"(?:(?:in|during|over|within|from)\s+)?{_THE}(?:last|past)\s+(?P<n>{COUNT})\s+(?P<unit>{UNIT})s?",
            _past,
        ),
        (rf"{_IN}(?P<which>last|this)\s+(?P<season>{SEASON})", _recent_season),
        (rf"{_IN}{_THE}(?P<season>{SEASON})(?:\s+of)?\s+(?P<year>{YEAR})(?:[/-]\d\d(?!\d))?", _season_of),
        (rf"(?:in|during|every|of|from)\s+(?:every\s+|the\s+)?(?P<season>{SEASON})(?:s|time)?", _season),
        (rf"{_IN}(?P<which>last\s+)?(?P<feast>{'|'.join(_FEASTS)}){_OF_YEAR}", _feast),
        (rf"{_IN}{_THE}(?P<decade>(?:19|20)\d0|[0-9]0)'?s", _decade),
        (rf"{_IN}(?:a\s+|every\s+)?(?P<day>{WEEKDAY})s?", _weekday),
        (rf"{_IN}(?:a\s+|every\s+)?(?P<day>{WEEKDAY})s?\s+(?P<hour>{'|'.join(_HOURS)})s?", _weekday),
        (r"(?:on|at|during|over)\s+(?:a\s+|the\s+|every\s+)?weekends?|weekends", _weekend),
        (rf"(?:in|during|at|by)\s+(?:the\s+|every\s+)?(?P<hour>{'|'.join(_HOURS)})s?", _hours),
        (rf"(?P<which>this|yesterday)\s+(?P<hour>{'|'.join(_HOURS)})", _hours),
        (rf"{_IN}{_THE}(?P<a>{DATE})", _date),
    ]
    return [
        (re.compile(rf"(?<![\w'-])(?:{text})(?:'s)?(?![\w-])", re.IGNORECASE), read) for text, read in shapes
    ]


def _date(match: re.Match[str], now: datetime.datetime) -> When | None:
    """One date: with a year a stretch of time, without one that day or month of every year."""
    text = match["a"].lower()
    if re.fullmatch(r"may|mar|march", text) and match[0].lower() == text:
        return None  # a verb, or a name, without "in"
    if re.fullmatch(MONTH, text):
        return When("", months=(month_number(text),))
    if re.search(MONTH, text) and not re.search(rf"{YEAR}|last|this", text):
        start, _ = read_date(f"{text} 2020", now)  # a year that has a 29 February
        return When("", days=((start.month, start.day),))
    start, end = read_date(text, now)
    return When("", start, end)


def _range(match: re.Match[str], now: datetime.datetime) -> When:
    first, last = match["a"].lower(), match["b"].lower()
    if re.fullmatch(MONTH, first) and re.fullmatch(MONTH, last):
        low, high = month_number(first), month_number(last)
        return When("", months=tuple((low - 1 + i) % 12 + 1 for i in range((high - low) % 12 + 1)))
    year = re.search(YEAR, last)
    if year and re.search(MONTH, first) and not re.search(YEAR, first):
        first = f"{first} {year[0]}"
    start, end = read_date(first, now)[0], read_date(last, now)[1]
    if end <= start:
        raise Unreadable(f"{_said(match)!r} ends before it starts")
    return When("", start, end)


def _days(match: re.Match[str], now: datetime.datetime) -> When:
    start = read_date(f"{match['d1']} {match['rest']}", now)[0]
    return When("", start, read_date(f"{match['d2']} {match['rest']}", now)[1])


def _side(match: re.Match[str], now: datetime.datetime) -> When:
    start, end = read_date(match["a"].lower(), now)
    how = match["how"].lower().split()[0]
    if how in ("since", "on", "onwards"):
        return When("", start=start)
    if how in ("after", "later", "newer"):
        return When("", start=end)
    return When("", end=end if how in ("until", "till", "up") else start)


def _past(match: re.Match[str], now: datetime.datetime) -> When:
    count = count_of(match["n"])
    tomorrow = midnight(now) + DAY
    days = {"day": 1, "week": 7}.get(match["unit"].lower())
    if days:
        return When("", tomorrow - count * days * DAY, tomorrow)
    months = count * (12 if match["unit"].lower() == "year" else 1)
    return When("", months_before(tomorrow, months), tomorrow)


def _recent_season(match: re.Match[str], now: datetime.datetime) -> When:
    return When("", *season_span(match["season"].lower(), match["which"].lower(), now))


def _season_of(match: re.Match[str], now: datetime.datetime) -> When:
    return When("", *season_in(match["season"].lower(), int(match["year"])))


def _season(match: re.Match[str], now: datetime.datetime) -> When:
    first = SEASONS[match["season"].lower()]
    return When("", months=tuple((first - 1 + month) % 12 + 1 for month in range(3)))


def _feast(match: re.Match[str], now: datetime.datetime) -> When:
    days = _FEASTS[match["feast"].lower()]
    year = int(match["year"]) if match["year"] else None
    if match["which"]:
        over = midnight(now).replace(month=days[0][0], day=days[0][1]) < midnight(now)
        year = now.year if over else now.year - 1
    if year is None:
        return When("", days=tuple(days))
    start = datetime.datetime(year, *days[0])
    return When("", start, start + len(days) * DAY)


def _decade(match: re.Match[str], now: datetime.datetime) -> When:
    text = match["decade"]
    first = int(text) if len(text) == 4 else 1900 + int(text) + (100 if int(text) < 30 else 0)
    return When("", datetime.datetime(first, 1, 1), datetime.datetime(first + 10, 1, 1))


def _weekday(match: re.Match[str], now: datetime.datetime) -> When:
    hours = _HOURS.get((match.groupdict().get("hour") or "").lower())
    return When("", weekdays=(WEEKDAYS.index(match["day"].lower()) + 1,), hours=hours)


def _weekend(match: re.Match[str], now: datetime.datetime) -> When:
    return When("", weekdays=(6, 7))


def _hours(match: re.Match[str], now: datetime.datetime) -> When:
    hours = _HOURS[match["hour"].lower()]
    which = match.groupdict().get("which")
    if not which:
        return When("", hours=hours)
    day = midnight(now) - (DAY if which.lower() == "yesterday" else 0 * DAY)
    return When("", day, day + DAY, hours=hours)
