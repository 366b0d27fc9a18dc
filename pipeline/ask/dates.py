"""Dates in English: finds "last summer", "on 3 May" or "between 2019 and 2021", and says which time is meant.

A month or a day without a year means every year's: in a library of many years nothing else is safe. Single
dates are read by dateparser; what is put together here are ranges, seasons, feasts, weekdays and hours.
Seasons are the northern ones, by whole months.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from .clauses import When
from .words import NUMBERS

_DAY = datetime.timedelta(days=1)
_MONTHS = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_SEASONS = {"spring": 3, "summer": 6, "autumn": 9, "fall": 9, "winter": 12}  # first of three months
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
_NUMBERS = {**NUMBERS, "couple of": 2, "a couple of": 2}

_MONTH = rf"(?:{'|'.join(_MONTHS)}|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)\.?"
_WEEKDAY = rf"(?:{'|'.join(_WEEKDAYS)})"
_SEASON = rf"(?:{'|'.join(_SEASONS)})"
_YEAR = r"(?:19|20)\d\d"
_NTH = r"(?:the\s+)?\d{1,2}(?:st|nd|rd|th)?"
_COUNT = rf"(?:\d+|{'|'.join(sorted(_NUMBERS, key=len, reverse=True))})"
_UNIT = r"(?:day|week|month|year)"
#: One date that dateparser reads, with its precision.
_POINT = (
    rf"(?:\d{{4}}-\d\d-\d\d|\d{{4}}-\d\d(?!\d)|\d{{1,2}}[./]\d{{1,2}}[./]\d{{4}}|\d{{1,2}}/\d{{4}}"
    rf"|{_NTH}\s+(?:of\s+)?{_MONTH}(?:,?\s+{_YEAR})?|{_MONTH}\s+{_NTH}(?!\d)(?:,?\s+{_YEAR})?"
    rf"|{_MONTH},?\s+(?:of\s+)?{_YEAR}|(?:last|this)\s+{_MONTH}|{_MONTH}|(?:the\s+year\s+)?{_YEAR}"
    rf"|today|the\s+day\s+before\s+yesterday|yesterday|{_COUNT}\s+{_UNIT}s?\s+ago"
    rf"|(?:last|this)\s+(?:{_UNIT}|{_WEEKDAY}|{_SEASON})|{_SEASON}(?:\s+of)?\s+{_YEAR}(?:[/-]\d\d(?!\d))?)"
)
_IN = r"(?:(?:taken\s+|made\s+|shot\s+)?(?:in|on|at|from|of|during|over|around|throughout|for)\s+)?"
_THE = r"(?:the\s+)?(?:(?:month|year)\s+of\s+)?"
_DAYS = r"(?P<d1>\d{1,2})\s*(?:and|to|-|–)\s*(?P<d2>\d{1,2})"
_SIDES = r"since|after|(?:later|newer|older|earlier)\s+than|(?:from\s+)?before|until|till|up\s+to|prior\s+to"
_OF_YEAR = rf"(?:\s+(?:of\s+|in\s+)?(?P<year>{_YEAR}))?"


@dataclass(frozen=True)
class Found:
    """A phrase that stands for a time, at `start` to `end` of the sentence."""

    start: int
    end: int
    when: When


class Unreadable(ValueError):
    """It looks like a date and is none: 31 February."""


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
        last = when.end - _DAY
        yield _day(when.start) if last <= when.start else f"{_day(when.start)} to {_day(last)}"
    elif when.start:
        yield f"from {_day(when.start)} on"
    elif when.end:
        yield f"before {_day(when.end)}"
    if when.months:
        yield f"{' or '.join(_MONTHS[month - 1].title() for month in when.months)} of any year"
    if when.days:
        days = " or ".join(f"{day} {_MONTHS[month - 1].title()}" for month, day in when.days)
        yield f"{days} of any year"
    if when.weekdays:
        yield f"on a {' or '.join(_WEEKDAYS[day - 1].title() for day in when.weekdays)}"
    if when.hours:
        yield f"{when.hours[0]}:00 to {when.hours[1]}:00"


def _day(moment: datetime.datetime) -> str:
    return f"{moment.day} {_MONTHS[moment.month - 1][:3].title()} {moment.year}"


def _said(match: re.Match[str]) -> str:
    return " ".join(match[0].split())


_Reader = Callable[[re.Match[str], datetime.datetime], When | None]


@cache
def _shapes() -> list[tuple[re.Pattern[str], _Reader]]:
    """Every shape of phrase, with what reads it."""
    shapes: list[tuple[str, _Reader]] = [
        (rf"between\s+(?P<a>{_POINT})\s+and\s+(?P<b>{_POINT})", _range),
        (
            rf"(?:(?:between|from|of|in)\s+)?(?P<a>{_POINT})\s+(?:to|until|till|through)\s+(?P<b>{_POINT})",
            _range,
        ),
        (rf"{_IN}(?P<a>{_YEAR})\s*[-–]\s*(?P<b>{_YEAR})", _range),
        (rf"(?:between|from)\s+{_DAYS}\s+(?P<rest>{_MONTH}\s+{_YEAR})", _days),
        (rf"(?P<how>{_SIDES})\s+(?P<a>{_POINT})", _side),
        (rf"from\s+(?P<a>{_POINT})\s+(?P<how>on(?:wards)?)\b", _side),
        (
            rf"(?:(?:in|during|over|within|from)\s+)?{_THE}(?:last|past)\s+(?P<n>{_COUNT})\s+(?P<unit>{_UNIT})s?",
            _past,
        ),
        (rf"{_IN}(?P<which>last|this)\s+(?P<season>{_SEASON})", _recent_season),
        (rf"{_IN}{_THE}(?P<season>{_SEASON})(?:\s+of)?\s+(?P<year>{_YEAR})(?:[/-]\d\d(?!\d))?", _season_of),
        (rf"(?:in|during|every|of|from)\s+(?:every\s+|the\s+)?(?P<season>{_SEASON})(?:s|time)?", _season),
        (rf"{_IN}(?P<which>last\s+)?(?P<feast>{'|'.join(_FEASTS)}){_OF_YEAR}", _feast),
        (rf"{_IN}{_THE}(?P<decade>(?:19|20)\d0|[0-9]0)'?s", _decade),
        (rf"{_IN}(?:a\s+|every\s+)?(?P<day>{_WEEKDAY})s?", _weekday),
        (rf"{_IN}(?:a\s+|every\s+)?(?P<day>{_WEEKDAY})s?\s+(?P<hour>{'|'.join(_HOURS)})s?", _weekday),
        (r"(?:on|at|during|over)\s+(?:a\s+|the\s+|every\s+)?weekends?|weekends", _weekend),
        (rf"(?:in|during|at|by)\s+(?:the\s+|every\s+)?(?P<hour>{'|'.join(_HOURS)})s?", _hours),
        (rf"(?P<which>this|yesterday)\s+(?P<hour>{'|'.join(_HOURS)})", _hours),
        (rf"{_IN}{_THE}(?P<a>{_POINT})", _point),
    ]
    return [
        (re.compile(rf"(?<![\w'-])(?:{text})(?:'s)?(?![\w-])", re.IGNORECASE), read) for text, read in shapes
    ]


def _point(match: re.Match[str], now: datetime.datetime) -> When | None:
    """One date: with a year a stretch of time, without one that day or month of every year."""
    text = match["a"].lower()
    if re.fullmatch(r"may|mar|march", text) and match[0].lower() == text:
        return None  # a verb, or a name, without "in"
    if re.fullmatch(_MONTH, text):
        return When("", months=(_month(text),))
    if re.search(_MONTH, text) and not re.search(rf"{_YEAR}|last|this", text):
        start, _ = _read(f"{text} 2020", now)  # a year that has a 29 February
        return When("", days=((start.month, start.day),))
    start, end = _read(text, now)
    return When("", start, end)


def _range(match: re.Match[str], now: datetime.datetime) -> When:
    first, last = match["a"].lower(), match["b"].lower()
    if re.fullmatch(_MONTH, first) and re.fullmatch(_MONTH, last):
        low, high = _month(first), _month(last)
        return When("", months=tuple((low - 1 + i) % 12 + 1 for i in range((high - low) % 12 + 1)))
    year = re.search(_YEAR, last)
    if year and re.search(_MONTH, first) and not re.search(_YEAR, first):
        first = f"{first} {year[0]}"
    start, end = _read(first, now)[0], _read(last, now)[1]
    if end <= start:
        raise Unreadable(f"{_said(match)!r} ends before it starts")
    return When("", start, end)


def _days(match: re.Match[str], now: datetime.datetime) -> When:
    start = _read(f"{match['d1']} {match['rest']}", now)[0]
    return When("", start, _read(f"{match['d2']} {match['rest']}", now)[1])


def _side(match: re.Match[str], now: datetime.datetime) -> When:
    start, end = _read(match["a"].lower(), now)
    how = match["how"].lower().split()[0]
    if how in ("since", "on", "onwards"):
        return When("", start=start)
    if how in ("after", "later", "newer"):
        return When("", start=end)
    return When("", end=end if how in ("until", "till", "up") else start)


def _past(match: re.Match[str], now: datetime.datetime) -> When:
    count = _number(match["n"])
    tomorrow = _midnight(now) + _DAY
    days = {"day": 1, "week": 7}.get(match["unit"].lower())
    if days:
        return When("", tomorrow - count * days * _DAY, tomorrow)
    months = count * (12 if match["unit"].lower() == "year" else 1)
    return When("", _months_before(tomorrow, months), tomorrow)


def _recent_season(match: re.Match[str], now: datetime.datetime) -> When:
    return When("", *_season_span(match["season"].lower(), match["which"].lower(), now))


def _season_span(
    season: str, which: str, now: datetime.datetime
) -> tuple[datetime.datetime, datetime.datetime]:
    """The last season of that name that is over, or this year's."""
    spans = [_season_in(season, year) for year in (now.year - 2, now.year - 1, now.year)]
    if which == "last":
        return [span for span in spans if span[1] <= now][-1]
    return next((span for span in spans if span[0] <= now < span[1]), spans[-1])


def _season_in(season: str, year: int) -> tuple[datetime.datetime, datetime.datetime]:
    start = datetime.datetime(year, _SEASONS[season], 1)
    return start, _months_before(start, -3)


def _season_of(match: re.Match[str], now: datetime.datetime) -> When:
    return When("", *_season_in(match["season"].lower(), int(match["year"])))


def _season(match: re.Match[str], now: datetime.datetime) -> When:
    first = _SEASONS[match["season"].lower()]
    return When("", months=tuple((first - 1 + month) % 12 + 1 for month in range(3)))


def _feast(match: re.Match[str], now: datetime.datetime) -> When:
    days = _FEASTS[match["feast"].lower()]
    year = int(match["year"]) if match["year"] else None
    if match["which"]:
        over = _midnight(now).replace(month=days[0][0], day=days[0][1]) < _midnight(now)
        year = now.year if over else now.year - 1
    if year is None:
        return When("", days=tuple(days))
    start = datetime.datetime(year, *days[0])
    return When("", start, start + len(days) * _DAY)


def _decade(match: re.Match[str], now: datetime.datetime) -> When:
    text = match["decade"]
    first = int(text) if len(text) == 4 else 1900 + int(text) + (100 if int(text) < 30 else 0)
    return When("", datetime.datetime(first, 1, 1), datetime.datetime(first + 10, 1, 1))


def _weekday(match: re.Match[str], now: datetime.datetime) -> When:
    hours = _HOURS.get((match.groupdict().get("hour") or "").lower())
    return When("", weekdays=(_WEEKDAYS.index(match["day"].lower()) + 1,), hours=hours)


def _weekend(match: re.Match[str], now: datetime.datetime) -> When:
    return When("", weekdays=(6, 7))


def _hours(match: re.Match[str], now: datetime.datetime) -> When:
    hours = _HOURS[match["hour"].lower()]
    which = match.groupdict().get("which")
    if not which:
        return When("", hours=hours)
    day = _midnight(now) - (_DAY if which.lower() == "yesterday" else 0 * _DAY)
    return When("", day, day + _DAY, hours=hours)


def _read(text: str, now: datetime.datetime) -> tuple[datetime.datetime, datetime.datetime]:
    """Start and end of one date, as precise as it is said."""
    text = re.sub(
        r"^the\s+(?=year|\d)|^year\s+|\bof\b|(?<=\d)(?:st|nd|rd|th)\b|(?<=[a-z])\.", " ", text
    ).strip()
    text = re.sub(r"^year\s+", "", text)
    if which := re.fullmatch(rf"(last|this)\s+({_SEASON})", text):
        return _season_span(which[2], which[1], now)
    if season := re.fullmatch(rf"({_SEASON})\s+({_YEAR})\S*", text):
        return _season_in(season[1], int(season[2]))
    if which := re.fullmatch(rf"(last|this)\s+({_MONTH})", text):
        month = _month(which[2])
        year = now.year - (which[1] == "last" and month >= now.month)
        start = datetime.datetime(year, month, 1)
        return start, _months_before(start, -1)
    text = re.sub(r"^the day before yesterday$", "2 days ago", text)
    data = _parser(now).get_date_data(text)
    if data.date_obj is None:
        raise Unreadable(f"{text!r} is no date")
    return _span(_midnight(data.date_obj.replace(tzinfo=None)), data.period)


def _span(day: datetime.datetime, period: str) -> tuple[datetime.datetime, datetime.datetime]:
    if period == "year":
        return day.replace(month=1, day=1), day.replace(year=day.year + 1, month=1, day=1)
    if period == "month":
        start = day.replace(day=1)
        return start, _months_before(start, -1)
    if period == "week":
        monday = day - day.weekday() * _DAY
        return monday, monday + 7 * _DAY
    return day, day + _DAY


def _parser(now: datetime.datetime) -> Any:
    from dateparser.date import DateDataParser

    settings = {"RELATIVE_BASE": now, "PREFER_DATES_FROM": "past", "PREFER_DAY_OF_MONTH": "first"}
    return DateDataParser(languages=["en"], settings={**settings, "PREFER_MONTH_OF_YEAR": "first"})


def _month(text: str) -> int:
    return next(number for number, name in enumerate(_MONTHS, 1) if name.startswith(text[:3].lower()))


def _number(text: str) -> int:
    return int(text) if text.isdigit() else _NUMBERS[text.lower()]


def _midnight(moment: datetime.datetime) -> datetime.datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def _months_before(day: datetime.datetime, months: int) -> datetime.datetime:
    """The same day so many months earlier (later, if negative); the month's last if it has no such day."""
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    for last in (day.day, 30, 29, 28):
        try:
            return day.replace(year=year, month=month + 1, day=last)
        except ValueError:
            continue
    raise Unreadable(f"there is no time {months} months before {day:%Y-%m-%d}")
