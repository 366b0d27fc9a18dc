"""The demo's page: one HTML file that needs no other, with photos, boxes, names, captions and answers.

What does not live here: what was found (`tour`), thumbnails and boxes (`pictures`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape
from importlib import resources
from string import Template

from ...pipeline.show import as_text
from ...pipeline.views import Answer
from ...schemas.concept import Concept
from ..measure.judge import Photo, Tally, plain, right_answers
from .pictures import Colors, as_source, marks, thumbnail
from .questions import Question

_TOPICS = {"next_to": "next to"}
_SHAPE = 4 / 3  # width to height of the field that a photo is fitted into


def write_page(
    photos: Sequence[Photo],
    concepts: Sequence[tuple[Concept, str]],
    colors: Colors,
    tallies: Mapping[str, Tally],
    answers: Mapping[Question, Answer],
    facts: str,
) -> str:
    """The page. `concepts` come with the path of a training photo; `facts` is the line below the title."""
    known = [photo for photo in photos if photo.hits]
    others = [photo for photo in photos if not photo.hits]
    template = Template((resources.files(__package__) / "page.html").read_text("utf-8"))
    return template.substitute(
        facts=escape(facts),
        concepts="".join(_concept(concept, path, colors) for concept, path in concepts),
        tallies="".join(_tally(name, tally) for name, tally in tallies.items()),
        questions="".join(_question(question, answer) for question, answer in answers.items()),
        filters="".join(_filter(name, color) for name, color in colors.items()),
        count=len(known),
        photos="".join(_photo(photo, colors) for photo in known),
        unknown=len(others),
        others="".join(f'<img src="{as_source(thumbnail(photo.path))}" alt="">' for photo in others),
    )


def _concept(concept: Concept, path: str, colors: Colors) -> str:
    return (
        f'<figure style="--c:{colors[concept.name]}"><img src="{as_source(thumbnail(path))}" alt="">'
        f"<figcaption><b>{escape(concept.name)}</b> {escape(concept.class_word or concept.kind)}"
        f"<small>from {len(concept.photos)} photos</small></figcaption></figure>"
    )


def _tally(name: str, tally: Tally) -> str:
    return (
        f"<tr><th>{escape(name)}</th><td>{tally.share:.1%}</td>"
        f"<td>{tally.right} of {tally.asked}</td>"
        f'<td><meter min="0" max="1" value="{tally.share:.3f}"></meter></td></tr>'
    )


def _question(question: Question, answer: Answer) -> str:
    head = "".join(f"<th>{escape(column)}</th>" for column in answer.columns)
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in as_text(row)) + "</tr>" for row in answer.rows
    )
    return (
        f"<article><h3>{escape(question.words)}</h3><pre>{escape(question.sql)}</pre>"
        f"<div><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div></article>"
    )


def _filter(name: str, color: str) -> str:
    return f'<button style="--c:{color}" data-name="{escape(name)}">{escape(name)}</button>'


def _photo(photo: Photo, colors: Colors) -> str:
    boxes = "".join(
        f'<i class="{"face" if mark.face else "box"}" style="--c:{colors[mark.concept]};'
        f"left:{mark.box[0]:.2%};top:{mark.box[1]:.2%};"
        f'width:{mark.box[2] - mark.box[0]:.2%};height:{mark.box[3] - mark.box[1]:.2%}">'
        f"<b>{escape(mark.concept)}</b></i>"
        for mark in marks(photo)
    )
    names = escape(" ".join(sorted(photo.hits)))
    answers = "".join(_answers(photo, concept, colors) for concept in sorted(photo.hits))
    image = thumbnail(photo.path)
    width = min(1.0, image.width / image.height / _SHAPE)
    return (
        f'<figure data-names="{names}"><div class="picture"><div style="width:{width:.2%}">'
        f'<img src="{as_source(image)}" alt="{escape(photo.caption)}">{boxes}</div></div>'
        f"<figcaption><p>{_in_color(photo.caption, colors)}</p>{answers}"
        f"<small>{escape(_file(photo))}<br>truth: {escape(photo.true_caption)}</small></figcaption></figure>"
    )


def _answers(photo: Photo, concept: str, colors: Colors) -> str:
    """What was asked about one concept; an answer that is wrong is marked, with what is true."""
    row = photo.shown.get(concept)
    parts = []
    for (about, topic), answer in photo.answers.items():
        if about != concept:
            continue
        right = right_answers(topic, row, photo) if row else set()
        said = escape(answer)
        if right and plain(answer) not in right:
            said = f'<s title="{escape(" or ".join(sorted(right)))}">{said}</s>'
        parts.append(f"<span>{_TOPICS.get(topic, topic)}</span> {said}")
    if not row:
        parts.append("<s>isn't in this photo</s>")
    return (
        f'<p class="answers"><b style="--c:{colors[concept]}">{escape(concept)}</b> {" · ".join(parts)}</p>'
    )


def _in_color(text: str, colors: Colors) -> str:
    """Text with the names of concepts in their colours."""
    names = {escape(name).casefold(): color for name, color in colors.items()}
    pattern = re.compile(rf"(?<!\w)({'|'.join(map(re.escape, names))})(?!\w)", re.IGNORECASE)
    return pattern.sub(lambda m: f'<b style="--c:{names[m[0].casefold()]}">{m[0]}</b>', escape(text))


def _file(photo: Photo) -> str:
    return "/".join(photo.path.split("/")[-2:])
