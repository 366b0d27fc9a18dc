"""How a condition was understood and what answers it, in words for the person."""

from __future__ import annotations

from .clauses import (
    All,
    Alone,
    ClassOf,
    Condition,
    Faces,
    Named,
    Near,
    Not,
    Shows,
    Some,
    Taken,
    Text,
    Told,
    Untold,
    When,
)
from .dates import describe as describe_time

_TOPICS = {
    "wearing": "wearing",
    "color": "coloured",
    "doing": "doing",
    "position": "in the photo",
    "next_to": "next to",
}


def describe(condition: Condition) -> str:
    """Say what is looked for, and where."""
    match condition:
        case Shows(who):
            return f"{who.name} is in it"
        case ClassOf(text):
            return f"{text.said} is in it (concepts of that kind, captions)"
        case Told(who, topic, words, whom):
            said = " ".join([*(choices[0] for choices in words), *([whom.name] if whom else [])])
            return f"{_called(who)} {_TOPICS[topic]}: {said} (the model's answers)"
        case Alone(who):
            return f"nobody but {' and '.join(map(_called, who)) or 'no one'} (faces, people, captions)"
        case Faces(least, most):
            return _faces(least, most)
        case When():
            return describe_time(condition)
        case Taken(camera):
            return f"taken with {camera}"
        case Near(None):
            return "with a location"
        case Near(latitude, longitude, km):
            return f"within {km:g} km of {latitude}, {longitude}"
        case Text(said):
            looked = "captions" if condition.place else "captions and paths"
            return f"{said!r} ({looked}; where they are silent, similarity)"
        case Untold():
            return "no caption yet"
        case Not(inner):
            return f"not: {describe(inner)}"
        case All(conditions):
            return " and ".join(f"[{describe(one)}]" for one in conditions)
        case Some(conditions):
            return " or ".join(f"[{describe(one)}]" for one in conditions)


def _called(who: Named | None) -> str:
    return (who.name or who.class_word if who else "") or "anyone"


def _faces(least: int, most: int | None) -> str:
    if most is None:
        return f"at least {least} faces" if least else "every photo"
    return f"{least} faces" if least == most else f"{least} to {most} faces"
