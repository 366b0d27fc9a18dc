"""A result is written where the person says, and nowhere over a photo."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from myvlm_tag.pipeline.output import write_output
from myvlm_tag.schemas.errors import HomeUnusable, UsageProblem

from .conftest import write_photos


def test_a_result_is_written_anew_over_the_last_one(tmp_path: Path) -> None:
    page = tmp_path / "new" / "found.html"
    for content in (b"one", b"two"):
        write_output(page, content, "--html")
        assert page.read_bytes() == content


@pytest.mark.parametrize("name", ["party.jpg", "party.html", "link.html", "damaged.CR2"])
def test_whatever_looks_like_a_photo_by_content_or_name_stays(name: str, tmp_path: Path) -> None:
    photo = write_photos(tmp_path, 1)[0]
    place = tmp_path / name
    if name == "link.html":
        place.symlink_to(photo)
    else:
        place.write_bytes(photo.read_bytes() if name.startswith("party") else bytes(1000))
    before = place.read_bytes()
    with pytest.raises(UsageProblem, match="photos are never overwritten; name another file: --html FILE"):
        write_output(place, b"page", "--html")
    assert place.read_bytes() == before


def test_a_place_that_cannot_be_written_is_one_line_that_names_the_option(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HomeUnusable, match="name another file: --html FILE"):
        write_output(tmp_path / "file" / "found.html", b"page", "--html")


def test_a_pipe_is_no_photo(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.jpg"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_output(pipe, b"page", "--html")
    assert os.read(reader, 10) == b"page"
    os.close(reader)
