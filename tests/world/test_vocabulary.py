"""Every word that can be said is known beforehand, names among them."""

import re

import numpy as np
from myvlm_tag.world.questions import questions
from myvlm_tag.world.sentences import caption
from myvlm_tag.world.vocabulary import FEMALE_NAMES, MALE_NAMES, NAMES, VOCABULARY

from .conftest import scenes


def test_every_word_used_is_in_the_vocabulary():
    rng = np.random.default_rng(4)
    for scene in scenes(60):
        asked = questions(scene, rng)
        text = " ".join([caption(scene, detailed=True), *(f"{q.question} {q.answer}" for q in asked)])
        assert set(re.findall("[a-z]+", text.lower())) <= set(VOCABULARY)


def test_names_are_short_distinct_and_known_by_sex():
    assert len(set(NAMES)) == len(NAMES) == 40
    assert set(NAMES) == set(FEMALE_NAMES) | set(MALE_NAMES)
    assert set(NAMES) <= set(VOCABULARY)
    assert max(map(len, NAMES)) <= 6
