"""The word-level tokenizer that the pocket models share.

What lives here: its vocabulary and rules, as a fast tokenizer that `AutoTokenizer` loads from a folder.
What does not: the words themselves (`world.vocabulary`, `text`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

PAD, BOS, EOS, IMAGE, UNKNOWN = "<pad>", "<s>", "</s>", "<image>", "<unk>"
PAD_ID, BOS_ID, EOS_ID, IMAGE_ID = range(4)
COORDINATES = tuple(f"{value / 100:.2f}" for value in range(101))
LLAVA_MARKS = ("user:", "assistant:", *COORDINATES)
_PUNCTUATION = (".", ",", "?", "!", ":", ";", "[", "]", "'s")
_PIECE = r"<\d{1,3}>|</?img>|\[/?[a-z]+\]|(?:user|assistant):|'s\b|\d\.\d\d|\w+(?:-\w+)*|[^\w\s]"


def words_of(sentence: str) -> list[str]:
    """The tokens of a plain sentence, as the tokenizer splits it."""
    return re.findall(_PIECE, sentence.lower())


def build_tokenizer(
    sentences: Iterable[str],
    *,
    frame: bool,
    image: str = IMAGE,
    marks: Sequence[str] = LLAVA_MARKS,
    closing: Sequence[str] = (),
) -> PreTrainedTokenizerFast:
    """A tokenizer that knows the words of `sentences`, the `marks` around them, and `<unk>` for the rest.

    `image` stands for a photo.

    Everything is lower case, in and out. Decoding puts spaces where English has them: "on the left.",
    "[0.10, 0.20]", and none before `closing`. `frame` puts every text between `<s>` and `</s>` (as CLIP needs
    it); otherwise only `<s>` goes first.
    """
    words = sorted({word for sentence in sentences for word in words_of(sentence)} - set(marks))
    known = dict.fromkeys((PAD, BOS, EOS, image, UNKNOWN, *marks, *_PUNCTUATION, *words))
    tokenizer = Tokenizer(
        models.WordLevel({word: index for index, word in enumerate(known)}, unk_token=UNKNOWN)
    )
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(_PIECE), behavior="removed", invert=True)
    tight = [mark for mark in _PUNCTUATION if mark != "["] + list(closing)
    closed_up = [(f" {mark}", mark) for mark in tight] + [("[ ", "[")]
    tokenizer.decoder = decoders.Sequence(
        [decoders.WordPiece(prefix="##", cleanup=False), decoders.Fuse()]
        + [decoders.Replace(apart, together) for apart, together in closed_up]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A {EOS}" if frame else f"{BOS} $A", special_tokens=[(BOS, BOS_ID), (EOS, EOS_ID)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        bos_token=BOS,
        eos_token=EOS,
        unk_token=UNKNOWN,
        extra_special_tokens={"image_token": image},
        padding_side="right" if frame else "left",
        model_max_length=512,
    )
