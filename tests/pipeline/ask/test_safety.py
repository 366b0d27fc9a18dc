"""Whatever a sentence or a name holds: it can become no SQL but the grammar's, and change nothing."""

from __future__ import annotations

import re

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from myvlm_tag.pipeline.ask.clauses import Named
from myvlm_tag.pipeline.ask.compile import Compiler, literal
from myvlm_tag.pipeline.ask.parse import parse
from myvlm_tag.pipeline.ask.tokens import Known
from myvlm_tag.schemas.errors import MyvlmTagError

from .conftest import NOW

HOSTILE = [
    "'; DROP TABLE photos; --", "x' OR '1'='1", "Robert'); ATTACH 'x.db", "\\", "'", "''", '"', "/*", "*/",
    "--", "$$", "\0", "a\nb", "%", "_", "red'] , ['", "; COPY photos TO 'x.csv'", "read_csv('/etc/passwd')",
    "’ OR 1=1", '" "',
]  # fmt: skip
TEMPLATES = [
    "{}", "photos of {}", "Anna wearing {}", "Anna in {} in 2020", 'photos with "{}"', "Anna holding {}",
    "{} and Ben", "not {}", "next to {}", "taken with the {}", "how many {}", "{} or Anna on the {}",
]  # fmt: skip
WORDS = st.sampled_from(
    [*HOSTILE, "Anna", "red", "wearing", "or", "not", "2020", "beach", "without", "in", ","]
)
SENTENCES = st.one_of(
    st.text(max_size=60),
    st.builds(str.format, st.sampled_from(TEMPLATES), st.sampled_from(HOSTILE), st.sampled_from(HOSTILE)),
    st.lists(WORDS, max_size=8).map(" ".join),
)
NAMES = st.one_of(st.sampled_from(HOSTILE), st.text(min_size=1, max_size=20))
_LITERAL = re.compile(r"'(?:[^']|'')*'")
_WORD = re.compile(r"[A-Za-z_]\w*")
#: Every word of SQL that the grammar can write; what else there is stands inside literals.
GRAMMAR = set(
    _WORD.findall(
        """
        SELECT FROM photos LEFT JOIN captions USING photo_id path taken_at caption WHERE AND OR NOT IN ORDER
        BY DESC NULLS LAST LIMIT count AS coalesce true false sightings concept kind wearing color doing
        position next_to says says_any caption_parts part faces BETWEEN TIMESTAMP month day hour
        isodow concat_ws camera_make camera_model distance_km latitude longitude IS NULL"""
    )
)


def compiled(sentence: str, names: list[str]) -> str | None:
    known = Known([Named("Anna", "woman"), *(Named(name, name, "object") for name in names)], names)
    try:
        return Compiler(known.concepts).question(parse(sentence, known, NOW))
    except MyvlmTagError:
        return None


@settings(max_examples=300, deadline=None)
@given(SENTENCES, st.lists(NAMES, max_size=3))
def test_a_sentence_becomes_one_select_of_the_grammars_own_words(sentence: str, names: list[str]) -> None:
    sql = compiled(sentence, names)
    if sql is None:
        return
    statements = duckdb.extract_statements(sql)
    assert [statement.type for statement in statements] == [duckdb.StatementType.SELECT]
    bare = _LITERAL.sub("", sql)
    assert "'" not in bare
    assert not {";", "--", "/*", '"', "$"} & set(bare) and "--" not in bare and "/*" not in bare
    assert set(_WORD.findall(bare)) <= GRAMMAR


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=30))
def test_a_literal_is_the_text_and_nothing_else(text: str) -> None:
    clean = text.replace("\0", "").encode("utf-8", "ignore").decode()
    with duckdb.connect() as connection:
        assert connection.execute(f"SELECT {literal(clean)}").fetchall() == [(clean,)]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_found_as_it_is(name: str) -> None:
    sql = compiled(f"photos of {name}", [name])
    if sql and "concept =" in sql:
        assert literal(name) in sql


@settings(max_examples=200, deadline=None)
@given(SENTENCES)
def test_no_sentence_brings_an_error_but_the_named_ones(sentence: str) -> None:
    compiled(sentence, ["my-mug", "Ben"])
