"""The plan of a sample library, which needs no pixels: who is how often in it, and that it repeats."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest
from myvlm_tag.world.sample.cast import sample_cast
from myvlm_tag.world.sample.library import concept_shots, library_shots
from myvlm_tag.world.vocabulary import FEMALE_NAMES, MALE_NAMES

SEED = 11


@pytest.fixture(scope="module")
def cast():
    return sample_cast(np.random.default_rng([SEED, 0]))


@pytest.fixture(scope="module")
def shots(cast):
    return list(library_shots(cast, 400, SEED))


def test_the_plan_is_the_same_for_the_same_seed_only(cast, shots):
    assert list(library_shots(cast, 400, SEED)) == shots
    assert [s.file for s in library_shots(cast, 400, SEED + 1)] != [s.file for s in shots]


@pytest.mark.parametrize("photos", [1, 2, 3, 7, 50, 333])
def test_the_plan_has_exactly_the_photos_asked_for_and_no_name_twice(cast, photos):
    files = [file for s in library_shots(cast, photos, SEED) for file in (s.file, *s.copies)]
    assert len(files) == len({file.casefold() for file in files}) == photos


def test_every_concept_is_in_a_good_share_of_the_photos(cast, shots):
    count = Counter(entity.key for s in shots for entity in (*s.people, *s.items))
    share = {name: count[entity.key] / len(shots) for name, entity in cast.concepts.items()}
    assert all(share[name] > 0.15 for name in cast.people)
    assert all(share[name] > 0.05 for name in cast.items)


def test_people_come_alone_in_twos_and_in_threes_and_not_at_all(shots):
    count = Counter(len(s.people) for s in shots)
    assert all(count[people] > 0.06 * len(shots) for people in range(4))


def test_a_sibling_look_alikes_and_photos_without_any_concept_come(cast, shots):
    keys = [{entity.key for entity in (*s.people, *s.items)} for s in shots]
    assert sum(cast.sibling.key in k for k in keys) >= 5
    assert cast.sibling.key not in cast.names
    for item in cast.items.values():
        alike = {other.key for other in cast.lookalikes if other.category == item.category}
        assert sum(bool(k & alike) for k in keys) >= 3
    assert sum(not k & cast.names.keys() for k in keys) > 0.1 * len(keys)


def test_a_sibling_is_nearer_to_a_concept_than_anyone_else(cast):
    def distance(a, b):
        return float(np.abs(a.vector() - b.vector()).mean())

    concept = cast.people[cast.sibling_of]
    others = [distance(concept, p) for p in cast.people.values() if p is not concept]
    assert distance(concept, cast.sibling) < min(others)


def test_names_fit_the_people(cast):
    for name, person in cast.people.items():
        assert name in (FEMALE_NAMES if person.sex == "female" else MALE_NAMES)


def test_dates_run_over_years_and_cameras_are_used_in_their_time(shots):
    years = [s.moment.when.year for s in shots]
    assert max(years) - min(years) >= 9
    for s in shots:
        first, last = s.technique.camera.years
        assert first <= s.moment.when.year <= last


def test_concept_shots_are_spread_over_years_and_scenes(cast):
    for name in cast.concepts:
        shots = list(concept_shots(cast, name, 5, SEED))
        assert len(shots) == 5
        assert all(s.file.startswith(f"{name}/") for s in shots)
        assert len({s.moment.when.year for s in shots}) >= 3
        assert len({s.seed for s in shots}) == 5


def test_a_short_library_is_the_plan_of_its_own_and_costs_no_more_than_it_yields(cast):
    endless = library_shots(cast, 1_000_000, SEED)
    assert len(list(itertools.islice(endless, 20))) == 20
