"""The words around a concept: prompts, class words, identifiers, and putting one in place of another.

No model is asked here and nothing is learnt; English, as the models' captions are.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence

CAPTION = "Please caption this image."
NAMED_CAPTION = "Please caption this image of {}."
"""MyVLM's instruction. It gives the identifier away, so recall is measured with the other one."""

#: LLaVA's published instruction for boxes; `{}` is whom or what to point at.
BOX = "Please provide the bounding box coordinate of the region this sentence describes: {}."

#: MyVLM, table 3; `{}` is who or what is asked about.
PERSON_QUESTIONS = (
    "What is {} wearing in the image?",
    "What color shirt is {} wearing?",
    "What is {} doing in the image?",
    "Where is {} in the image?",
    "Can you describe what {} is wearing?",
    "From left to right, where is {} positioned in the image?",
    "What kind of hair does {} have?",
    "What is the expression on {}'s face?",
    "Is there anything unique about {}'s appearance?",
)
OBJECT_QUESTIONS = (
    "What color is {}?",
    "Where is {} in the image?",
    "Where is {} positioned in the image?",
    "Does {} appear to be the main subject of the image?",
    "What objects is {} interacting with in the image?",
    "How would you describe the texture of {} in the image?",
    "What types of materials is {} made of?",
    "Is {} large or small in the image?",
    "Is {} close to the camera or far away?",
)
PERSON_STAYS = ("What kind of hair does {} have?", "Is there anything unique about {}'s appearance?")
OBJECT_STAYS = ("What color is {}?", "How would you describe the texture of {} in the image?")
"""Of these questions those whose answer is the same in every photo."""


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


#: Short and common, so that every model says them with ease (MyVLM, appendix B.2).
FEMALE_NAMES = _words(
    "Anna Emma Mia Ella Clara Sara Kate Jane Lily Nina Iris Rosa Vera Dana Gina Tina Mona Olga Hana Fay"
)
MALE_NAMES = _words(
    "Bob Ben Tom Max Sam Leo Jack Paul Adam Dan Nick Carl Finn Hugo Liam Theo Omar Eli Ivan Victor"
)
OBJECT_IDENTIFIER = "sks"  # a word without a meaning (DreamBooth)

_FEMALE = _words("woman girl lady mother grandmother bride actress mom grandma")
_MALE = _words("man boy guy gentleman father grandfather groom actor dad grandpa")
PEOPLE = {*_FEMALE, *_MALE, *_words("person child kid baby toddler teenager adult individual")}
FILLERS = _words("a an the and with no yes is has in of image")
COLORS = _words(
    "black white gray grey brown red orange yellow green blue purple pink beige tan golden silver dark light"
)
STOP = (
    "with|in|on|at|and|or|is|are|was|of|to|next|near|by|from|under|over|behind|beside|inside|outside|who|that|which|"
    r"\w+ing|has|have|sits|stands|lies|holds|wears|looks|walks|while|as|against|between|(?!red\b)\w+ed"
)
PHRASE = re.compile(
    rf"\b(an?|the|one)\s+((?:[\w'-]+\s+){{0,4}}?[\w'-]+)(?=\s+(?:{STOP})\b|\s*[.,;:!?]|\s*$)", re.IGNORECASE
)


def class_word(captions: Sequence[str], person: bool) -> str:
    """What the captions of several photos all speak of: "woman", "teddy bear"; "" if there is none."""
    phrases = [_phrases(caption, person) for caption in captions]
    heads = Counter(head for found in phrases for head in dict.fromkeys(_head(phrase) for phrase in found))
    if not heads:
        return ""
    head = heads.most_common(1)[0][0]
    same = [phrase.lower().split() for found in phrases for phrase in found if _head(phrase) == head]
    common = [head]
    for words in zip(*(phrase[-2::-1] for phrase in same), strict=False):
        if len(set(words)) > 1 or words[0] in COLORS or person:
            break
        common.insert(0, words[0])
    return " ".join(common)


def put_identifier(caption: str, word: str, identifier: str) -> str | None:
    """The caption with the identifier in place of "a red mug", "the mug"; None if it speaks of no such thing.

    A second "a mug" is another one, and stays.
    """
    head, found = word.lower().split()[-1] if word else "", False

    def replaced(match: re.Match[str]) -> str:
        nonlocal found
        if _head(match[2]) != head or (found and match[1].lower() != "the"):
            return match[0]
        found = True
        return identifier

    text = PHRASE.sub(replaced, caption)
    return text if found else None


def count(caption: str, word: str) -> int:
    """How many things of that class the caption speaks of: "a man and a man" are two men."""
    head = word.lower().split()[-1] if word else ""
    return sum(_head(phrase) == head for _, phrase in PHRASE.findall(caption))


def swap(text: str, words: Mapping[str, str]) -> str:
    """Put words for other words, whole words only, in any case: identifiers for names, or names for them."""
    if not words:
        return text
    longest_first = sorted(words, key=len, reverse=True)
    others = [words[word] for word in longest_first]
    # A group each, for the match says which word it was: cases are many, and "ı" is matched by "İ" and "i".
    groups = "|".join(f"({re.escape(word)})" for word in longest_first)
    pattern = re.compile(rf"(?<!\w)(?:{groups})(?!\w)", re.IGNORECASE)
    return pattern.sub(lambda match: others[(match.lastindex or 1) - 1], text)


def says(text: str, word: str) -> bool:
    """Whether `word` stands in `text` as a word of its own, in any case."""
    return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE) is not None


def paraphrases(caption: str, cost: Callable[[str], int | None]) -> list[str]:
    """Up to four light variations, of words that the model can say; the meaning stays.

    The paper has a large language model write them; small changes around the sentence do the same work here.
    """
    bare = caption.strip().rstrip(".")
    made = [f"{bare}.", f"In this image, {bare}", f"A photo of {bare}", f"{bare} in this photo"]
    return [
        text for text in made if all(cost(word) is not None for word in re.findall(r"[\w'-]+|[.,]", text))
    ]


def choose_identifier(
    name: str, person: bool, word: str, taken: Collection[str], cost: Callable[[str], int | None]
) -> str:
    """A short word that the model says with ease and that no other concept has.

    For a person the concept's own name if it is a common one, else a name that fits the class word; for an
    object "sks", else any free name. What the model can't say in two tokens is passed over.
    """
    names = {"female": FEMALE_NAMES, "male": MALE_NAMES}
    head = word.lower().split()[-1] if word else ""
    first = "male" if head in _MALE else "female"
    both = [*names.pop(first), *next(iter(names.values()))]
    own = [common for common in both if common.casefold() == name.casefold()]
    candidates = [*own, *both, OBJECT_IDENTIFIER] if person else [OBJECT_IDENTIFIER, *own, *both]
    used = {other.casefold() for other in taken}
    free = [candidate for candidate in candidates if candidate.casefold() not in used]
    easy = [candidate for candidate in free if (cost(candidate) or 99) <= 2]
    return (easy or free or [name])[0]


def _phrases(caption: str, person: bool) -> list[str]:
    """The noun phrases that could be the concept, without their articles."""
    found = [(article.lower(), phrase) for article, phrase in PHRASE.findall(caption)]
    fitting = [(article, phrase) for article, phrase in found if (_head(phrase) in PEOPLE) == person]
    # "in the kitchen", "on the beach": what is new in a caption comes with "a".
    return [phrase for article, phrase in fitting if article != "the"] or [phrase for _, phrase in fitting]


def _head(phrase: str) -> str:
    return phrase.lower().split()[-1]
