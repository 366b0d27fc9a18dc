"""Captions, boxes and keywords are judged as their definitions say."""

import pytest
from myvlm_tag.pipeline.evaluate.baselines import guided, keywords, simple
from myvlm_tag.pipeline.evaluate.metrics import caption_metrics, cider, neutral
from myvlm_tag.stages.vlm.words import says

SAID = ["a dog on the beach", "a woman wearing a red coat in the kitchen"]


def test_the_right_caption_word_for_word_scores_highest_on_every_measure():
    scores = caption_metrics(SAID, [[text] for text in SAID])
    for name in ("B1", "B2", "B3", "B4", "ROUGE-L", "chrF"):
        assert scores[name] == pytest.approx(100), name
    assert scores["CIDEr"] == pytest.approx(1000) and scores["METEOR"] > 99
    worse = caption_metrics(["a cat in the snow", SAID[1]], [[text] for text in SAID])
    assert all(worse[name] < value for name, value in scores.items())


def test_one_of_several_right_captions_is_enough_and_photos_without_any_do_not_count():
    alone = caption_metrics(SAID[:1], [[SAID[0]]])
    assert caption_metrics(SAID, [["another thing", SAID[0]], []])["ROUGE-L"] == alone["ROUGE-L"]
    assert caption_metrics(SAID, [[], []]) == {}


def test_cider_counts_what_few_captions_say_for_more():
    right = [["a", "dog"], ["a", "cat"], ["a", "cup"]]
    common = cider([(["a", "hat"], [words]) for words in right])
    rare = cider([(["the", words[1]], [words]) for words in right])
    assert 0 < common < rare < 10


def test_a_name_gives_way_to_the_category_and_takes_its_article_along():
    assert neutral("sks on a table", "sks", "mug") == "a mug on a table"
    assert neutral("A sks next to the sks", "sks", "mug") == "a mug next to a mug"
    assert neutral("a dog with my sks", "sks", "mug") == "a dog with a mug"
    assert neutral("Anna and a hat", "anna", "woman") == "a woman and a hat"
    assert neutral("a banana", "anna", "woman") == "a banana"


def test_keywords_are_what_the_plain_model_calls_the_thing():
    told = ["a red mug on a table", "a man with a red mug", "a mug in the park", "a small red mug"]
    assert keywords(told, "mug", person=False) == ["red mug", "mug", "small red mug"]
    assert keywords(told, "woman", person=True) == ["woman"]
    assert keywords(["a table"], "mug", person=False) == ["mug"]
    assert keywords([], "", person=False) == []


def test_simple_replacement_puts_the_name_only_where_a_keyword_stands():
    assert simple("a blue cup and a red mug", ["red mug", "cup"], "sks") == "a blue cup and a sks"
    assert simple("a blue cup", ["red mug"], "sks") == "a blue cup"


class _Clerk:
    """A language model that does as it is told."""

    def reply(self, prompts):
        found = [prompt.split("Original Sentence: ")[1] for prompt in prompts]
        return [f"Revised: {text.replace('mug', 'sks')}" for text in found]


class _Mute:
    def reply(self, prompts):
        return None


def test_guided_replacement_takes_the_language_model_s_sentence():
    assert guided(_Clerk(), ["a red mug."], ["mug"], "sks") == ["a red sks"]
    assert says(guided(_Clerk(), ["a cup"], ["mug"], "sks")[0], "sks") is False
    assert guided(_Mute(), ["a cup"], ["mug"], "sks") is None
