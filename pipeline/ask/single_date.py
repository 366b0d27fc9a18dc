"""One date in English: how "3 May 2021", "last July" or "two weeks ago" is written, and which time it is.

Most are read by dateparser; seasons, and months of this year or the last, are read here. Seasons are the
northern ones, by whole months. What does not live here: what is said around
dates and between them (`dates.py`).
"""

from __future__ import annotations

import datetime
import re
from typing import Any

from .words import NUMBERS

DAY = datetime.timedelta(days=1)
MONTHS = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
SEASONS = {"spring": 3, "summer": 6, "autumn": 9, "fall": 9, "winter": 12}  # first of three months
_NUMBERS = {**NUMBERS, "couple of": 2, "a couple of": 2}

MONTH = rf"(?:{'|'.join(MONTHS)}|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)\.?"
WEEKDAY = rf"(?:{'|'.join(WEEKDAYS)})"
SEASON = rf"(?:{'|'.join(SEASONS)})"
YEAR = r"(?:19|20)\d\d"
_NTH = r"(?:the\s+)?\d{1,2}(?:st|nd|rd|th)?"
COUNT = rf"(?:\d+|{'|'.join(sorted(_NUMBERS, key=len, reverse=True))})"
UNIT = r"(?:day|week|month|year)"
#: One date, as `read_date` reads it.
DATE = (
    rf"(?:\d{{4}}-\d\d-\d\d|\d{{4}}-\d\d(?!\d)|\d{{1,2}}[./]\d{{1,2}}[./]\d{{4}}|\d{{1,2}}/\d{{4}}"
    rf"|{_NTH}\s+(?:of\s+)?{MONTH}(?:,?\s+{YEAR})?|{MONTH}\s+{_NTH}(?!\d)(?:,?\s+{YEAR})?"
    rf"|{MONTH},?\s+(?:of\s+)?{YEAR}|(?:last|this)\s+{MONTH}|{MONTH}|(?:the\s+year\s+)?{YEAR}"
    rf"|today|the\s+day\s+before\s+yesterday|yesterday|{COUNT}\s+{UNIT}s?\s+ago"
    rf"|(?:last|this)\s+(?:{UNIT}|{WEEKDAY}|{SEASON})|{SEASON}(?:\s+of)?\s+{YEAR}(?:[/-]\d\d(?!\d))?)"
)


class Unreadable(ValueError):
    """It looks like a date and is none: 31 February."""


def read_date(text: str, now: datetime.datetime) -> tuple[datetime.datetime, datetime.datetime]:
    """Start and end of one date, as precise as it is said."""
    text = re.sub(
        r"^the\s+(?=year|\d)|^year\s+|\bof\b|(?<=\d)(?:st|nd|rd|th)\b|(?<=[a-z])\.", " ", text
    ).strip()
    text = re.sub(r"^year\s+", "", text)
    if which := re.fullmatch(rf"(last|this)\s+({SEASON})", text):
        return season_span(which[2], which[1], now)
    if season := re.fullmatch(rf"({SEASON})\s+({YEAR})\S*", text):
        return season_in(season[1], int(season[2]))
    if which := re.fullmatch(rf"(last|this)\s+({MONTH})", text):
        month = month_number(which[2])
        year = now.year - (which[1] == "last" and month >= now.month)
        start = datetime.datetime(year, month, 1)
        return start, months_before(start, -1)
    text = re.sub(r"^the day before yesterday$", "2 days ago", text)
    data = _parser(now).get_date_data(text)
    if data.date_obj is None:
        raise Unreadable(f"{text!r} is no date")
    return _span(midnight(data.date_obj.replace(tzinfo=None)), data.period)


def season_span(
    season: str, which: str, now: datetime.datetime
) -> tuple[datetime.datetime, datetime.datetime]:
    """The last season of that name that is over, or this year's."""
    spans = [season_in(season, year) for year in (now.year - 2, now.year - 1, now.year)]
    if which == "last":
        return [span for span in spans if span[1] <= now][-1]
    return next((span for span in spans if span[0] <= now < span[1]), spans[-1])


def season_in(season: str, year: int) -> tuple[datetime.datetime, datetime.datetime]:
    """Start and end of the season that begins in that year."""
    start = datetime.datetime(year, SEASONS[season], 1)
    return start, months_before(start, -3)


def _span(day: datetime.datetime, period: str) -> tuple[datetime.datetime, datetime.datetime]:
    if period == "year":
        return day.replace(month=1, day=1), day.replace(year=day.year + 1, month=1, day=1)
    if period == "month":
        start = day.replace(day=1)
        return start, months_before(start, -1)
    if period == "week":
        monday = day - day.weekday() * DAY
        return monday, monday + 7 * DAY
    return day, day + DAY


def _parser(now: datetime.datetime) -> Any:
    from dateparser.date import DateDataParser

    settings = {"RELATIVE_BASE": now, "PREFER_DATES_FROM": "past", "PREFER_DAY_OF_MONTH": "first"}
    return DateDataParser(languages=["en"], settings={**settings, "PREFER_MONTH_OF_YEAR": "first"})


def month_number(text: str) -> int:
    """The month of a name or its first letters; 1 is January."""
    return next(number for number, name in enumerate(MONTHS, 1) if name.startswith(text[:3].lower()))


def count_of(text: str) -> int:
    """How many a `COUNT` is."""
    return int(text) if text.isdigit() else _NUMBERS[text.lower()]


def midnight(moment: datetime.datetime) -> datetime.datetime:
    """When the day began."""
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def months_before(day: datetime.datetime, months: int) -> datetime.datetime:
    """The same day so many months earlier (later, if negative); the month's last if it has no such day."""
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    for last in (day.day, 30, 29, 28):
        try:
            return day.replace(year=year, month=month + 1, day=last)
        except ValueError:
            continue
    raise Unreadable(f"there is no time {months} months before {day:%Y-%m-%d}")
