"""How captions are judged: BLEU, CIDEr, METEOR, ROUGE-L, chrF.

BLEU and chrF are sacrebleu's, METEOR is NLTK's, ROUGE-L rouge-score's. METEOR goes without WordNet, which
would have to be downloaded: words match as they are or by their stems. CIDEr is worked out here from its
definition, since the libraries that have it bring a hundred megabytes of Java. SPICE is Java alone, and no
longer kept up; chrF stands in its place.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from nltk.translate.meteor_score import meteor_score
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics import BLEU, CHRF

from ...stages.vlm.words import swap

_DETERMINERS = ("a ", "an ", "the ", "my ", "our ", "his ", "her ", "their ")
_WORD = re.compile(r"[\w'-]+")
_GRAMS = 4
_SIGMA = 6.0  # CIDEr-D: how fast a difference in length counts


class _NoWordNet:
    """Stands where NLTK looks synonyms up."""

    def synsets(self, word: str) -> list[str]:
        return []


def neutral(caption: str, name: str, category: str) -> str:
    """A caption that says what is seen, not who: the name gives way to the category (MyVLM, section 4.1).

    A determiner before the name goes with it: "the sks" and "my sks" are "a mug", too.
    """
    return swap(caption, {before + name: f"a {category}" for before in ("", *_DETERMINERS)})


def caption_metrics(said: Sequence[str], right: Sequence[Sequence[str]]) -> dict[str, float]:
    """Each measure of `said` against one or more right captions each, 0-100. Empty where there are none."""
    pairs = [
        (_words(one), [_words(other) for other in others]) for one, others in zip(said, right, strict=True)
    ]
    pairs = [(one, others) for one, others in pairs if others]
    if not pairs:
        return {}
    texts = [" ".join(one) for one, _ in pairs]
    references = _columns([[" ".join(other) for other in others] for _, others in pairs])
    scores = {
        f"B{order}": BLEU(max_ngram_order=order, tokenize="none").corpus_score(texts, references).score
        for order in range(1, _GRAMS + 1)
    }
    scorer = RougeScorer(["rougeL"])
    rouge = [
        max(scorer.score(" ".join(other), " ".join(one))["rougeL"].fmeasure for other in others)
        for one, others in pairs
    ]
    meteor = [meteor_score(others, one, wordnet=_NoWordNet()) for one, others in pairs]
    return {
        **scores,
        "CIDEr": 100 * cider(pairs),
        "METEOR": 100 * float(np.mean(meteor)),
        "ROUGE-L": 100 * float(np.mean(rouge)),
        "chrF": CHRF().corpus_score(texts, references).score,
    }


def cider(pairs: Sequence[tuple[Sequence[str], Sequence[Sequence[str]]]]) -> float:
    """CIDEr-D (Vedantam et al. 2015) of (words said, words of right captions), 0-10."""
    seen: Counter[tuple[str, ...]] = Counter()
    for _, others in pairs:
        seen.update({gram for other in others for n in range(1, _GRAMS + 1) for gram in _grams(other, n)})
    return float(np.mean([_cider_of(one, others, seen, len(pairs)) for one, others in pairs]))


def _cider_of(
    one: Sequence[str], others: Sequence[Sequence[str]], seen: Counter[tuple[str, ...]], photos: int
) -> float:
    scores = []
    for other in others:
        apart = math.exp(-((len(one) - len(other)) ** 2) / (2 * _SIGMA**2))
        for n in range(1, _GRAMS + 1):
            mine, theirs = (_weighted(_grams(words, n), seen, photos) for words in (one, other))
            both = sum(
                min(weight, theirs.get(gram, 0.0)) * theirs.get(gram, 0.0) for gram, weight in mine.items()
            )
            size = math.sqrt(sum(w * w for w in mine.values()) * sum(w * w for w in theirs.values()))
            scores.append(apart * both / size if size else 0.0)
    return 10 * float(np.mean(scores))


def _weighted(
    grams: Counter[tuple[str, ...]], seen: Counter[tuple[str, ...]], photos: int
) -> dict[tuple[str, ...], float]:
    # One photo more than there are, so that what stands in all of them weighs a little yet.
    return {gram: count * math.log((photos + 1) / max(1, seen[gram])) for gram, count in grams.items()}


def _grams(words: Sequence[str], n: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(words[at : at + n]) for at in range(len(words) - n + 1))


def _columns(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    """Right captions as sacrebleu wants them: the first of each, the second of each; repeated where fewer."""
    most = max(len(row) for row in rows)
    return [[row[min(number, len(row) - 1)] for row in rows] for number in range(most)]


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())
