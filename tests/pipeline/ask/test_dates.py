"""What time a phrase means, said on 21 November 2026."""

from __future__ import annotations

import datetime

import pytest
from myvlm_tag.pipeline.ask.dates import describe, find_dates
from myvlm_tag.pipeline.ask.single_date import Unreadable

from .conftest import NOW


@pytest.mark.parametrize(
    ("phrase", "meant"),
    [
        ("last summer", "1 Jun 2026 to 31 Aug 2026"),
        ("in July 2023", "1 Jul 2023 to 31 Jul 2023"),
        ("on 3 May", "3 May of any year"),
        ("on the 3rd of May", "3 May of any year"),
        ("May 3rd, 2021", "3 May 2021"),
        ("between 2019 and 2021", "1 Jan 2019 to 31 Dec 2021"),
        ("2019-2021", "1 Jan 2019 to 31 Dec 2021"),
        ("from June to August 2019", "1 Jun 2019 to 31 Aug 2019"),
        ("from 3 to 10 May 2021", "3 May 2021 to 10 May 2021"),
        ("since May 2020", "from 1 May 2020 on"),
        ("before 2015", "before 1 Jan 2015"),
        ("after 2015", "from 1 Jan 2016 on"),
        ("until March 2016", "before 1 Apr 2016"),
        ("in summer", "June or July or August of any year"),
        ("winter 2019/20", "1 Dec 2019 to 29 Feb 2020"),
        ("in the 2010s", "1 Jan 2010 to 31 Dec 2019"),
        ("in the 90s", "1 Jan 1990 to 31 Dec 1999"),
        ("Christmas 2020", "24 Dec 2020 to 26 Dec 2020"),
        ("last christmas", "24 Dec 2025 to 26 Dec 2025"),
        ("two weeks ago", "2 Nov 2026 to 8 Nov 2026"),
        ("in the last 3 months", "22 Aug 2026 to 21 Nov 2026"),
        ("yesterday", "20 Nov 2026"),
        ("last Sunday", "15 Nov 2026"),
        ("last July", "1 Jul 2026 to 31 Jul 2026"),
        ("on Sundays", "on a Sunday"),
        ("at the weekend", "on a Saturday or Sunday"),
        ("in the evening", "18:00 to 22:00"),
        ("on 2021-07-04", "4 Jul 2021"),
        ("in May", "May of any year"),
    ],
)
def test_a_phrase_means_a_time(phrase: str, meant: str) -> None:
    found = find_dates(f"photos of Anna {phrase}", NOW)
    assert [describe(one.when).removeprefix(f"{phrase} ") for one in found] == [f"({meant})"]


@pytest.mark.parametrize("sentence", ["I may go", "Anna with 2 friends", "march of the penguins", ""])
def test_what_is_no_date_is_left_alone(sentence: str) -> None:
    assert find_dates(sentence, NOW) == []


@pytest.mark.parametrize("phrase", ["on 31 February 2020", "from 2021 to 2019"])
def test_a_date_that_is_none_is_said_to_be_none(phrase: str) -> None:
    with pytest.raises(Unreadable):
        find_dates(phrase, NOW)


def test_last_summer_in_summer_is_the_one_before() -> None:
    found = find_dates("last summer", datetime.datetime(2026, 7, 1))
    assert describe(found[0].when) == "last summer (1 Jun 2025 to 31 Aug 2025)"
