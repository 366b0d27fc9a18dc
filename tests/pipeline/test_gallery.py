"""Albums of found photos: what is in them is what was found, and nothing there is ever replaced."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from myvlm_tag.pipeline.gallery import copy_photos, link_photos
from myvlm_tag.schemas.errors import HomeUnusable, UsageProblem
from myvlm_tag.schemas.paths import to_text

from .conftest import write_photos

Put = Callable[[list[str], Path, Callable[[str], None]], int]
both = pytest.mark.parametrize("put", [copy_photos, link_photos])


@pytest.fixture
def photos(tmp_path: Path) -> list[str]:
    """Three photos of the same name."""
    folders = [tmp_path / "photos" / name for name in "abc"]
    return [str(write_photos(folder, 1, seed)[0]) for seed, folder in enumerate(folders)]


@both
def test_photos_of_one_name_are_all_there_whichever_call_brought_them(
    put: Put, photos: list[str], tmp_path: Path
) -> None:
    album, said = tmp_path / "new" / "album", list[str]()
    assert put(photos[:1], album, said.append) == 1
    assert put(photos[1:2], album, said.append) == 1
    assert put(photos, album, said.append) == 3
    assert put(photos[::-1], album, said.append) == 3
    assert sorted(path.name for path in album.iterdir()) == [
        "photo 0000 (2).jpg",
        "photo 0000 (3).jpg",
        "photo 0000.jpg",
    ]
    assert {path.read_bytes() for path in album.iterdir()} == {Path(photo).read_bytes() for photo in photos}
    assert said == []


@both
def test_a_file_of_the_same_name_that_is_no_such_photo_stays_as_it_is(
    put: Put, photos: list[str], tmp_path: Path
) -> None:
    album = tmp_path / "album"
    album.mkdir()
    (album / "photo 0000.jpg").write_text("mine")
    (album / "photo 0000 (2).jpg").symlink_to("nowhere.jpg")
    assert put(photos[:1], album, print) == 1
    assert (album / "photo 0000.jpg").read_text() == "mine"
    assert (album / "photo 0000 (3).jpg").read_bytes() == Path(photos[0]).read_bytes()


def test_a_link_is_no_copy(photos: list[str], tmp_path: Path) -> None:
    assert link_photos(photos[:1], tmp_path / "album", print) == 1
    assert copy_photos(photos[:1], tmp_path / "album", print) == 1
    assert [path.is_symlink() for path in sorted((tmp_path / "album").iterdir())] == [False, True]


@both
def test_photos_that_went_since_the_last_run_are_named_and_the_others_put(
    put: Put, photos: list[str], tmp_path: Path
) -> None:
    gone, said = to_text(tmp_path / "photos" / "gone.jpg"), list[str]()
    assert put([photos[0], gone, photos[1]], tmp_path / "album", said.append) == 2
    assert said == [f"{gone} is left out: No such file or directory"]


@pytest.mark.parametrize(("put", "option"), [(copy_photos, "--copy-to"), (link_photos, "--link-to")])
def test_an_album_that_cannot_be_made_is_one_line_that_names_the_option(
    put: Put, option: str, photos: list[str], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageProblem, match="is a file"):
        put(photos, tmp_path / "file", print)
    with pytest.raises(HomeUnusable, match=f"name another folder: {option} FOLDER"):
        put(photos, tmp_path / "file" / "album", print)
