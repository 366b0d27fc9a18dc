"""Questions have one true answer that they don't give away, about someone who can be told from the others."""

import re

import numpy as np
from myvlm_tag.world.questions import questions, refer
from myvlm_tag.world.truth import truth

from .conftest import scenes


def test_a_referring_expression_fits_one_entity_of_the_photo():
    rng = np.random.default_rng(1)
    ambiguous = 0
    for scene in scenes(60):
        main = [t for t in truth(scene) if t.main]
        picked = [refer(scene, t.key, rng) for t in main]
        ambiguous += len(picked) - len(set(picked))
    assert ambiguous <= 2


def test_a_question_does_not_give_its_own_answer_away():
    rng = np.random.default_rng(2)
    asked = [
        q for scene in scenes(80) for q in questions(scene, rng) if q.topic in ("wearing", "where", "doing")
    ]
    leaking = [q for q in asked if q.answer.removeprefix("a ").removeprefix("an ") in q.question]
    assert len(asked) > 200 and len(leaking) < 0.03 * len(asked)


def test_questions_use_the_given_names():
    rng = np.random.default_rng(3)
    scene = next(s for s in scenes(50) if len([t for t in truth(s) if t.main and t.kind == "person"]) == 1)
    key = next(t.key for t in truth(scene) if t.main and t.kind == "person")
    about = [q for q in questions(scene, rng, {key: "sks"}) if q.key == key]
    assert {q.topic for q in about} >= {"wearing", "doing", "where", "next_to", "hair"}
    assert all(re.search(r"\bsks\b", q.question) for q in about)
