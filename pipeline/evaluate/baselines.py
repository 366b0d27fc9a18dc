"""What MyVLM is compared with: a keyword of the plain model's caption gives way to the name.

Simple replacement looks for the keywords itself; LLM-guided replacement asks a language model to do it, with
the paper's words (MyVLM, section 4.1, appendix B.3). The paper has GPT-4V name three keywords of one to three
words for an object; here they are the three phrases that the plain model uses most for it in the training
photos, and for a person, as there, the one word for their kind. The language model is that of the pack's own
vision-language model, asked without a photo: the paper's is Mistral-7B.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from ...stages.vlm.base import Adapter
from ...stages.vlm.words import PHRASE, says, swap

_MOST_KEYWORDS, _MOST_WORDS = 3, 3
_GUIDED = (
    'I have the following sentence: {sentence}. Only if the word "{keyword}" appears in the sentence, please'
    ' replace it with the word "{name}". Otherwise, keep the original sentence. Can you do this for me?'
    ' Please respond only with the corrected sentence. The output format will be "Revised: <result>", with no'
    " additional text or explanations. Original Sentence: {sentence}"
)
_REVISED = re.compile(r"^\W*revised:\s*", re.IGNORECASE)


def keywords(captions: Sequence[str], class_word: str, person: bool) -> list[str]:
    """The words by which the plain model calls a concept in captions of its training photos."""
    if person or not class_word:
        return [class_word] if class_word else []
    head = class_word.lower().split()[-1]
    found = Counter(
        " ".join(phrase.lower().split()[-_MOST_WORDS:])
        for caption in captions
        for _, phrase in PHRASE.findall(caption)
        if phrase.lower().split()[-1] == head
    )
    return [phrase for phrase, _ in found.most_common(_MOST_KEYWORDS)] or [class_word]


def simple(caption: str, words: Sequence[str], name: str) -> str:
    """The caption with the name in place of the first keyword that stands in it."""
    word = next((word for word in words if says(caption, word)), None)
    return caption if word is None else swap(caption, {word: name})


def guided(adapter: Adapter, captions: Sequence[str], words: Sequence[str], name: str) -> list[str] | None:
    """The same by the language model; None where it can't be asked without a photo."""
    prompts = []
    for caption in captions:
        word = next((word for word in words if says(caption, word)), words[0] if words else "")
        bare = caption.strip().rstrip(".")
        prompts.append(_GUIDED.format(sentence=bare, keyword=word, name=name))
    said = adapter.reply(prompts)
    return None if said is None else [_REVISED.sub("", text) for text in said]
