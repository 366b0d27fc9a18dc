"""The whole way of a question: read it, ask the views, let CLIP rank what no column and no caption answers.

Of words that captions answer ("on the beach"), photos that have a caption are found by it or not at all;
those without one are ranked. Words that no caption of the library has are ranked for all photos that the rest
of the question selects. The reply says which rows are which.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ...schemas.errors import ModelMissing
from ...schemas.settings import Settings
from ..catalog import Catalog
from ..show import as_records
from ..views import Answer, Bounds, query
from .clauses import All, Condition, Question, Shows, Some, Text, Told, Untold, all_of, parts_of
from .compile import Compiler, literals
from .describe import describe
from .known import known, unknown_name
from .parse import parse

#: As many rows are ranked as one looks at.
RANKED = 20
EXACT, SIMILAR = "exact", "ranked"


@dataclass(frozen=True)
class Row:
    """One photo of the reply. `score` is CLIP's cosine similarity, None where the catalog says it exactly."""

    photo_id: str
    path: str
    taken_at: datetime.datetime | None
    caption: str | None
    match: str = EXACT
    score: float | None = None


@dataclass(frozen=True)
class Reply:
    """What a question gave."""

    sentence: str
    sql: str
    read_as: list[str]  # how each part was understood, and what answers it
    rows: list[Row]
    count: int | None = None  # for "how many"
    notes: list[str] = field(default_factory=list)

    def answer(self, full: bool = True) -> Answer:
        """The rows as a table; not `full`, without columns that tell nothing here."""
        if self.count is not None:
            return Answer(["photos"], [(self.count,)])
        if not full and all(row.match == EXACT for row in self.rows):
            return Answer(
                ["path", "taken_at", "caption"], [(row.path, row.taken_at, row.caption) for row in self.rows]
            )
        columns = ["path", "taken_at", "match", "score", "caption"]
        return Answer(
            columns, [(row.path, row.taken_at, row.match, row.score, row.caption) for row in self.rows]
        )

    def record(self) -> dict[str, Any]:
        """Everything, as `--json` prints it."""
        told: dict[str, Any] = {"sentence": self.sentence, "read_as": self.read_as, "sql": self.sql}
        told |= {"notes": self.notes, "photos": len(self.rows) if self.count is None else self.count}
        return told | ({"rows": as_records(self.answer())} if self.count is None else {})


def ask(
    settings: Settings, sentence: str, now: datetime.datetime | None = None, limit: int | None = None
) -> Reply:
    """Answer a sentence, with at most `limit` photos.

    Raises UsageProblem for what can't be read, ConceptMissing for a name nobody has, SqlRefused.
    """
    asker = _Asker(settings)
    question = parse(sentence, asker.known, now or datetime.datetime.now())
    asker.check_names(question)
    if limit is not None:
        question = replace(question, limit=min(limit, question.limit or limit))
    question, notes = asker.answerable(question)
    texts = [part for part in parts_of(question.condition) if isinstance(part, Text)]
    spoken = asker.spoken(texts)
    unsaid = [text for text in texts if text not in spoken]
    reply = Reply(
        sentence, asker.compiler.question(question), list(map(describe, parts_of(question.condition))), []
    )
    if question.count:
        return replace(reply, count=asker.rows(reply.sql)[0][0], notes=notes + list(map(_uncounted, unsaid)))
    exact = [] if unsaid else [Row(*row) for row in asker.rows(reply.sql)]
    if not texts or (question.limit is not None and len(exact) >= question.limit):
        return replace(reply, rows=exact, notes=notes)
    return asker.with_ranked(replace(reply, rows=exact, notes=notes), question, texts, spoken)


class _Asker:
    """A catalog, and what it knows by name."""

    def __init__(self, settings: Settings) -> None:
        """Look up the names."""
        self.settings = settings
        self.catalog = Catalog(settings.catalog)
        self.bounds = Bounds.of(settings)
        self.known = known(settings, self.catalog)
        self.compiler = Compiler(self.known.concepts)

    def rows(self, sql: str) -> list[tuple]:
        return query(self.catalog, sql, self.bounds).rows

    def check_names(self, question: Question) -> None:
        """Raise ConceptMissing for a word that looks like a name and is in no caption and no path."""
        for word in question.suspects:
            if not self.spoken([Text(word, ((word,),))]):
                raise unknown_name(word, self.known.concepts)

    def spoken(self, texts: Sequence[Text]) -> list[Text]:
        """Those of the words that any caption or path of the library has."""
        if not texts:
            return []
        conditions = ", ".join(
            f"EXISTS (FROM photos WHERE {self.compiler.condition(text)})" for text in texts
        )
        return [
            text for text, found in zip(texts, self.rows(f"SELECT {conditions}")[0], strict=True) if found
        ]

    def answerable(self, question: Question) -> tuple[Question, list[str]]:
        """Turn into words to look up what the model never answers: that Anna is smiling."""
        told = [one for one in _tolds(question.condition) if one.topic in ("wearing", "doing") and one.words]
        if not told:
            return question, []
        sayings = ", ".join(
            " AND ".join(
                f"coalesce(bool_or(says_any({one.topic}, {literals(words)})), false)" for words in one.words
            )
            for one in told
        )
        heard = self.rows(f"SELECT {sayings} FROM sightings")[0]
        silent = [one for one, found in zip(told, heard, strict=True) if not found]
        notes = [f"{_words(one)}: no answer of the model says so" for one in silent]
        return replace(question, condition=_without(question.condition, silent)), notes

    def with_ranked(
        self, reply: Reply, question: Question, texts: Sequence[Text], spoken: Sequence[Text]
    ) -> Reply:
        """Add the photos most like the words to those that are known to be right."""
        from .rank import prompt, rank

        rest = [part for part in parts_of(question.condition) if not isinstance(part, Text)]
        silent = [Untold()] if len(spoken) == len(texts) else []
        candidates = Question(all_of([*rest, *silent, *(Some((text, Untold())) for text in spoken)]))
        sql = self.compiler.question(candidates)
        exact = {row.photo_id for row in reply.rows}
        rows = {row[0]: Row(*row) for row in self.rows(sql) if row[0] not in exact}
        if not rows:
            return reply
        most = RANKED if question.limit is None else question.limit - len(exact)
        shown = [one.who.class_word for one in rest if isinstance(one, Shows) and one.who.class_word]
        class_words = list(dict.fromkeys(shown))
        try:
            ranked = rank(self.settings, self.catalog, rows, exact, texts, class_words, most)
        except ModelMissing as error:
            return replace(reply, notes=[*reply.notes, f"not ranked by similarity: {error}"])
        asked = prompt(texts, class_words)
        note = (
            f"{len(ranked[:most])} of {len(rows):,} photos are ranked by similarity to {asked!r}, not exact"
        )
        found = [
            replace(rows[one.photo_id], match=SIMILAR, score=round(one.score, 4)) for one in ranked[:most]
        ]
        return replace(
            reply,
            sql=reply.sql if reply.rows else sql,
            rows=[*reply.rows, *found],
            notes=[*reply.notes, note],
        )


def _uncounted(text: Text) -> str:
    return f"no caption says {text.said!r}: without 'how many' the photos most like it are shown"


def _words(told: Told) -> str:
    return " ".join(choices[0] for choices in told.words)


def _tolds(condition: Condition) -> list[Told]:
    """The model's answers asked for, outside of any "not"."""
    if isinstance(condition, All | Some):
        return [told for one in condition.conditions for told in _tolds(one)]
    return [condition] if isinstance(condition, Told) else []


def _without(condition: Condition, silent: Sequence[Told]) -> Condition:
    """The condition with words to look up in place of answers nobody gave."""
    if isinstance(condition, All):
        return All(tuple(_without(one, silent) for one in condition.conditions))
    if isinstance(condition, Some):
        return Some(tuple(_without(one, silent) for one in condition.conditions))
    if isinstance(condition, Told) and condition in silent:
        text = Text(_words(condition), condition.words, who=condition.who)
        who = [Shows(one) for one in (condition.who, condition.whom) if one is not None and one.name]
        return All((*who, text))
    return condition
