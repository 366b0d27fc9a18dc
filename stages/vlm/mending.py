"""Puts a caption right by what else is known of the photo: who wears and does what, and whose the mug is.

MyVLM's caption says a name, but among several people not always of the right one, and now and then one that
nobody there has. Each known person was also looked at alone, around their body (`asking.py`, crop). A clause
of the caption that says what someone wears is given to whomever that look shows in the same clothes, and then
says their name and what the look says of them. And a thing that is in the photo, as its head found, and that
the caption speaks of as "a red mug" gets its name, if no other mug there could be meant. A caption that says
nothing of the kind stays as it is. No model is asked here; English.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from .words import COLORS, FEMALE_NAMES, MALE_NAMES, PEOPLE, PHRASE, STOP, says

#: How much speaks for a clause being about someone: the clothes, the name, the verb.
_CLOTHES, _NAME, _VERB = 4, 2, 1

_NAMES = {name.casefold() for name in (*FEMALE_NAMES, *MALE_NAMES)}  # those that identifiers are taken from
_KIND = "|".join(sorted(PEOPLE, key=len, reverse=True))
_SOMEONE = rf"(?:an?|the|one|another) (?:(?!(?:and|or|with|in|on|of|an?|the)\b)[\w-]+ ){{0,3}}?(?:{_KIND})"
_ACTIVITY = re.compile(
    r",? (?:and )?(?P<verb>(?!(?:wear|noth|someth)ing\b)\w+ing)(?: (?:an?|the) (?:[\w'-]+ )??[\w'-]+)?"
    rf"(?=\s+(?:{STOP})\b|\s*[.,;:!?]|\s*$)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Look:
    """What the closer look says of one known person; empty where it wasn't asked."""

    identifier: str
    clothes: str = ""  # "a red coat"
    doing: str = ""  # "holding a cup"


@dataclass(frozen=True)
class Thing:
    """What a caption could call a known thing without knowing it."""

    identifier: str
    class_word: str  # "toy car"; empty if nothing is known
    color: str = ""  # what was answered about it; empty where it wasn't asked


@dataclass(frozen=True)
class _Clause:
    """A part of a caption: "anna" " wearing " "a red coat" " waving"."""

    who: re.Match[str]
    clothes: re.Match[str]
    doing: re.Match[str] | None

    @property
    def verb(self) -> str:
        return self.doing["verb"] if self.doing else ""

    @property
    def end(self) -> int:
        return (self.doing or self.clothes).end()


def mend(caption: str, looks: Sequence[Look], identifiers: Collection[str]) -> str:
    """The caption, put right; `identifiers` are those of all concepts in the photo, which stay mentioned."""
    clauses = _clauses(caption, [look.identifier for look in looks])
    owners = _assign(clauses, looks)
    known = {look.identifier.casefold() for look in owners.values()}
    strange = _NAMES - {identifier.casefold() for identifier in identifiers}  # the model can't know them
    text, at = "", 0
    for number, clause in enumerate(clauses):
        text += caption[at : clause.who.start()]
        at = clause.end
        look = owners.get(number)
        if look is not None:
            text += _said_of(caption, clause, look, identifiers)
        else:  # whoever has that name is spoken of elsewhere
            who = clause.who["who"]
            who = "someone" if who.casefold() in known | strange else who
            text += who + caption[clause.who.end("who") : at]
    return text + caption[at:]


def name_things(caption: str, things: Sequence[Thing]) -> str:
    """The caption with the identifiers of things it speaks of by their class word alone.

    Of several phrases that could mean a thing its color decides; what stays in doubt, stays unnamed.
    """
    meant: dict[tuple[int, int], list[str]] = {}
    for thing in things:
        if thing.class_word and not says(caption, thing.identifier):
            phrases = _phrases_for(caption, thing)
            if len(phrases) == 1:
                meant.setdefault(phrases[0].span(), []).append(thing.identifier)
    for (start, end), identifiers in sorted(meant.items(), reverse=True):
        if len(identifiers) == 1:
            caption = caption[:start] + identifiers[0] + caption[end:]
    return caption


def _phrases_for(caption: str, thing: Thing) -> list[re.Match[str]]:
    word = re.compile(rf"(?:.*\s)?{re.escape(thing.class_word)}", re.IGNORECASE)
    found = [phrase for phrase in PHRASE.finditer(caption) if word.fullmatch(phrase[2])]
    colors = [color for color in COLORS if says(thing.color, color)]
    fitting = [phrase for phrase in found if any(says(phrase[2], color) for color in colors)]
    return fitting if len(found) > 1 else found


def _clauses(caption: str, names: Sequence[str]) -> list[_Clause]:
    known = sorted({*names, *_NAMES}, key=lambda name: (-len(name), name))
    whom = "|".join([*map(re.escape, known), _SOMEONE])
    found = []
    for who in re.finditer(rf"(?<!\w)(?P<who>{whom})(?:,| is| who is)? wearing ", caption, re.IGNORECASE):
        clothes = PHRASE.match(caption, who.end())
        if clothes:
            found.append(_Clause(who, clothes, _ACTIVITY.match(caption, clothes.end())))
    return found


def _assign(clauses: Sequence[_Clause], looks: Sequence[Look]) -> dict[int, Look]:
    """Which clause is about which known person: one to one, what most speaks for first."""
    pairs = []
    for number, clause in enumerate(clauses):
        for look in looks:
            same = clause.clothes[0].casefold() == look.clothes.casefold()
            named = clause.who["who"].casefold() == look.identifier.casefold()
            verb = bool(clause.verb) and says(look.doing, clause.verb)
            if same or named:
                pairs.append((_CLOTHES * same + _NAME * named + _VERB * verb, -number, look))
    owners: dict[int, Look] = {}
    for _, number, look in sorted(pairs, key=lambda pair: pair[:2], reverse=True):
        if -number not in owners and look not in owners.values():
            owners[-number] = look
    return owners


def _said_of(caption: str, clause: _Clause, look: Look, identifiers: Collection[str]) -> str:
    """The clause with the person's name, and with clothes and activity where the look has phrases for it."""
    between = caption[clause.who.end("who") : clause.clothes.start()]
    clothes = look.clothes if PHRASE.fullmatch(look.clothes) else clause.clothes[0]
    text = look.identifier + between + clothes
    if clause.doing is None:
        return text
    said, start = clause.doing[0], clause.doing.start()
    others = [name for name in identifiers if name != look.identifier and says(said, name)]
    if others or says(look.doing, clause.verb) or not _ACTIVITY.fullmatch(f" {look.doing}"):
        return text + said
    return text + said[: clause.doing.start("verb") - start] + look.doing
