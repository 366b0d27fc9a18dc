"""Conditions -> SQL over the views. Whatever a sentence holds goes in as an escaped literal, never as SQL."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .clauses import (
    All,
    Alone,
    ClassOf,
    Condition,
    Faces,
    Named,
    Near,
    Not,
    Question,
    Shows,
    Some,
    Taken,
    Text,
    Told,
    Untold,
    When,
    Words,
    parts_of,
)
from .words import forms

#: What a caption calls people who have no name.
_STRANGERS = ("man", "woman", "boy", "girl", "men", "women", "boys", "girls", "person", "people", "child")
_PERSON = "kind = 'person'"
_COLUMNS = "photo_id, path, taken_at, caption"


@dataclass(frozen=True)
class Compiler:
    """Makes SQL for a catalog that knows these concepts."""

    concepts: Sequence[Named]

    def question(self, question: Question) -> str:
        """The whole statement. Photos without a date come last."""
        where = "\n  AND ".join(self.condition(part) for part in _needed(parts_of(question.condition)))
        if question.count:
            return f"SELECT count(*) AS photos\nFROM photos\nWHERE {where}"
        order = "taken_at DESC NULLS LAST" if question.newest_first else "taken_at NULLS LAST"
        limit = f"\nLIMIT {int(question.limit)}" if question.limit is not None else ""
        return (
            f"SELECT {_COLUMNS}\nFROM photos LEFT JOIN captions USING (photo_id)\n"
            f"WHERE {where}\nORDER BY {order}, path{limit}"
        )

    def condition(self, condition: Condition) -> str:
        """One condition on a row of `photos`."""
        match condition:
            case Shows(who):
                return _sighted(f"concept = {literal(who.name)}")
            case ClassOf(text):
                return _either([*self._class(text), _captioned(text.words)])
            case Told():
                return self._told(condition)
            case Alone(who):
                return self._alone(who)
            case Faces(0, None):
                return "true"
            case Faces(least, most):
                return _faces(least, most)
            case When():
                return _both(_when(condition))
            case Taken(camera):
                return f"says(concat_ws(' ', camera_make, camera_model), {literal(camera)})"
            case Near(latitude, longitude, km):
                return _near(latitude, longitude, km)
            case Text(_, words, place):
                return (
                    _captioned(words) if place else _either([_captioned(words), _both(_says("path", words))])
                )
            case Untold():
                return "photo_id NOT IN (SELECT photo_id FROM captions)"
            case Not(inner):
                return f"NOT coalesce({self.condition(inner)}, false)"
            case All(conditions):
                return _both([self.condition(one) for one in _needed(conditions)])
            case Some(conditions):
                return _either([self.condition(one) for one in conditions])

    def _class(self, text: Text) -> list[str]:
        """Sightings of the concepts whose class word it is: "a white dog" is also Rex, who is white."""
        names = [one.name for one in self.concepts if _among(one.class_word, text.words)]
        if not names:
            return []
        said = [
            literals(words)
            for words in text.words
            if not any(_among(c.class_word, (words,)) for c in self.concepts)
        ]
        return [_sighted(_both([_in("concept", names), *(f"says_any(color, {one})" for one in said)]))]

    def _told(self, told: Told) -> str:
        """What the model answered about a concept, or its caption says of someone without a name."""
        who, words = told.who or Named(""), told.words
        if told.whom is not None and told.topic == "next_to" and who.name:
            beside = [_answer(a, "next_to", (_called(b),)) for a, b in ((who, told.whom), (told.whom, who))]
            return _both([self.condition(Shows(who)), self.condition(Shows(told.whom)), _either(beside)])
        if told.whom is not None:
            held = Told(told.who, told.topic, (*words, _called(told.whom)))
            return _both([self.condition(Shows(told.whom)), self._told(held)])
        if who.name:
            return _answer(who, told.topic, words)
        called = tuple(forms(word) for word in who.class_word.split())
        column = _both(_says(told.topic, words))
        if not called:
            return _either([_sighted(column), _captioned(words)])
        names = [one.name for one in self.concepts if _among(one.class_word, called)]
        named = [_sighted(_both([_in("concept", names), column]))] if names else []
        return _either([*named, _captioned((*called, *words))])

    def _alone(self, who: Sequence[Named]) -> str:
        people = [one for one in who if one.kind == "person"]
        names = [one.name for one in people if one.name]
        others = _PERSON + (f" AND NOT {_in('concept', names)}" if names else "")
        strangers = [
            word
            for word in _STRANGERS
            if not any(_among(word, (forms(one.class_word),)) for one in who if not one.name)
        ]
        return _both(
            [
                f"coalesce(faces, 0) <= {len(people)}",
                f"NOT {_sighted(others)}",
                f"NOT {_captioned((tuple(strangers),))}",
            ]
        )


def literal(text: str) -> str:
    """A string as SQL: nothing in it can end it."""
    return "'" + text.replace("\0", "").replace("'", "''") + "'"


def _in(column: str, values: Iterable[str]) -> str:
    return f"{column} IN ({', '.join(map(literal, values))})"


def _both(conditions: Sequence[str]) -> str:
    conditions = list(dict.fromkeys(conditions))
    return conditions[0] if len(conditions) == 1 else " AND ".join(conditions)


def _either(conditions: Sequence[str]) -> str:
    return (
        conditions[0] if len(conditions) == 1 else "(" + " OR ".join(f"({one})" for one in conditions) + ")"
    )


def _sighted(condition: str) -> str:
    return f"photo_id IN (SELECT photo_id FROM sightings WHERE {condition})"


def _answer(who: Named, topic: str, words: Words) -> str:
    return _sighted(_both([f"concept = {literal(who.name)}", *_says(topic, words)]))


def _says(column: str, words: Words) -> list[str]:
    return [f"says_any({column}, {literals(one)})" for one in words]


def literals(choices: Sequence[str]) -> str:
    """A list of strings as SQL."""
    return f"[{', '.join(map(literal, choices))}]"


def _captioned(words: Words) -> str:
    """The caption has the word; of several, the part about one of those in the photo has them all."""
    table, column = ("captions", "caption") if len(words) == 1 else ("caption_parts", "part")
    return f"photo_id IN (SELECT photo_id FROM {table} WHERE {_both(_says(column, words))})"


def _called(who: Named) -> tuple[str, ...]:
    """How an answer may speak of a concept: by its name or its class word."""
    return (who.name, *(forms(who.class_word) if who.class_word else ()))


def _among(word: str, words: Words) -> bool:
    return bool(word) and any(word in choices for choices in words)


def _faces(least: int, most: int | None) -> str:
    if most == 0:
        told = f"NOT {_captioned((_STRANGERS,))}"
        return f"coalesce(faces, 0) = 0 AND NOT {_sighted(_PERSON)} AND {told}"
    if most is None:
        return f"faces >= {int(least)}"
    return f"faces = {int(least)}" if least == most else f"faces BETWEEN {int(least)} AND {int(most)}"


def _when(when: When) -> list[str]:
    parts = []
    if when.start:
        parts.append(f"taken_at >= {_moment(when.start)}")
    if when.end:
        parts.append(f"taken_at < {_moment(when.end)}")
    if when.months:
        parts.append(f"month(taken_at) IN ({', '.join(str(int(month)) for month in when.months)})")
    if when.days:
        days = ", ".join(f"({int(month)}, {int(day)})" for month, day in when.days)
        parts.append(f"(month(taken_at), day(taken_at)) IN ({days})")
    if when.weekdays:
        parts.append(f"isodow(taken_at) IN ({', '.join(str(int(day)) for day in when.weekdays)})")
    if when.hours:
        first, last = when.hours
        joined = "AND" if first < last else "OR"
        parts.append(f"(hour(taken_at) >= {int(first)} {joined} hour(taken_at) < {int(last)})")
    return parts


def _moment(moment: datetime.datetime) -> str:
    return f"TIMESTAMP '{moment:%Y-%m-%d}'"


def _near(latitude: float | None, longitude: float | None, km: float) -> str:
    if latitude is None or longitude is None:
        return "latitude IS NOT NULL"
    return f"distance_km(latitude, longitude, {float(latitude)}, {float(longitude)}) <= {float(km)}"


def _needed(conditions: Sequence[Condition]) -> list[Condition]:
    """Without what another condition says already: who wears red is in the photo."""
    told = {one.who for one in conditions if isinstance(one, Told) and one.who is not None}
    return [one for one in conditions if not (isinstance(one, Shows) and one.who in told)]
