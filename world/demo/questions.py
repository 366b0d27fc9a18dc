"""What the demo asks of the catalog, in SQL, as a person would.

What does not live here: running the queries (`tour`) and showing their rows (`page`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Question:
    """A question in words, and the query that answers it."""

    words: str
    sql: str


def questions(people: Sequence[str]) -> list[Question]:
    """Three questions about a library; the second is about the first of `people`."""
    return [
        Question(
            "Who and what is in how many photos, and since when?",
            """\
SELECT concept, kind, count(*) AS photos, min(taken_at)::DATE AS first
FROM sightings
GROUP BY concept, kind
ORDER BY photos DESC, concept""",
        ),
        Question(
            f"What does {people[0]} wear, and what is she doing then?",
            f"""\
SELECT wearing, string_agg(DISTINCT doing, ', ') AS doing, count(*) AS photos
FROM people
WHERE concept = '{people[0]}'
GROUP BY wearing
ORDER BY photos DESC, wearing
LIMIT 6""",
        ),
        Question(
            "Where are two of them together, newest first?",
            """\
SELECT taken_at::DATE AS day, parse_filename(path) AS photo, caption
FROM captions JOIN photos USING (photo_id)
WHERE len(concepts) >= 2
ORDER BY taken_at DESC, path
LIMIT 6""",
        ),
    ]
