import os
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from myvlm_tag.schemas.errors import LibraryMissing
from myvlm_tag.schemas.paths import from_text, to_text
from myvlm_tag.schemas.tables import FILES
from myvlm_tag.stages.scan import FOUND, identify, photo_id, walk
from PIL import Image


@pytest.fixture
def library(tmp_path) -> Path:
    folder = tmp_path / "library"
    folder.mkdir()
    return folder


def save(file, colour="red") -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), colour).save(file, format="PNG")
    return file


class Memory:
    """What a catalog would remember between scans: the newest row per path."""

    def __init__(self):
        self.rows = {}

    def scan(self, *roots, home=None, **options):
        walked = walk(roots, self.known(), home)
        rows, failures, ignored = list(walked.rows), list(walked.failures), 0
        for part in identify(walked.entries, **options):
            assert part.files.schema == FOUND
            rows += part.files.to_pylist()
            failures += part.failures.to_pylist()
            ignored += part.ignored
        self.rows.update((row["path"], row) for row in rows)
        return walked, rows, failures, ignored

    def known(self):
        return pa.Table.from_pylist([{**row, "run_id": "1"} for row in self.rows.values()], FILES)


def names(rows):
    return sorted(os.path.basename(from_text(row["path"])) for row in rows)


def test_photos_are_found_by_content_whatever_they_are_called(library):
    save(library / "photo.txt"), save(library / "sub" / "deep" / "no suffix"), save(library / "b.JPG")
    (library / "note.txt").write_text("hello")
    walked, rows, failures, ignored = Memory().scan(library)
    assert names(rows) == ["b.JPG", "no suffix", "photo.txt"]
    assert (walked.new, failures, ignored) == (4, [], 1)
    assert {row["root"] for row in rows} == {str(library)}


def test_a_photo_is_named_by_its_bytes_and_not_by_its_path(library):
    save(library / "a.png"), save(library / "copy.png"), save(library / "b.png", "blue")
    _, rows, _, _ = Memory().scan(library)
    a, b, copy = (row["photo_id"] for row in sorted(rows, key=lambda row: row["path"]))
    assert a == copy != b
    assert a == photo_id(library / "a.png") and len(a) == 32


def test_an_unchanged_library_opens_nothing(library, monkeypatch):
    memory = Memory()
    save(library / "a.png"), save(library / "sub" / "b.png", "blue")
    memory.scan(library)
    walked = walk([library], memory.known())
    assert (walked.unchanged, walked.new, walked.entries, walked.rows) == (2, 0, [], [])


def test_changes_moves_and_deletions_are_told_apart(library):
    memory = Memory()
    for name, colour in (
        ("kept.png", "red"),
        ("changed.png", "lime"),
        ("moved.png", "blue"),
        ("gone.png", "cyan"),
    ):
        save(library / name, colour)
    memory.scan(library)
    save(library / "changed.png", "yellow")
    os.utime(library / "changed.png", (1, 1))
    (library / "new").mkdir()
    (library / "moved.png").rename(library / "new" / "moved.png")
    (library / "gone.png").unlink()
    before = memory.rows[str(library / "moved.png")]["photo_id"]
    walked, rows, _, _ = memory.scan(library)
    assert (walked.unchanged, walked.new, walked.changed, walked.gone) == (1, 1, 1, 2)
    by_path = {row["path"]: row for row in rows}
    assert by_path[str(library / "new" / "moved.png")]["photo_id"] == before
    assert by_path[str(library / "gone.png")]["gone"] and by_path[str(library / "moved.png")]["gone"]
    assert len(rows) == 4


def test_files_that_come_back_cost_a_stat(library, tmp_path):
    memory = Memory()
    save(library / "a.png"), save(library / "stays.png", "blue")
    memory.scan(library)
    (library / "a.png").rename(tmp_path / "away.png")
    memory.scan(library)
    (tmp_path / "away.png").rename(library / "a.png")
    walked = walk([library], memory.known())
    assert walked.entries == []
    assert [(row["gone"], row["photo_id"]) for row in walked.rows] == [(False, photo_id(library / "a.png"))]


@pytest.mark.parametrize("hidden", [".thumbnails", "@eaDir", "$RECYCLE.BIN", "quiet"])
def test_folders_that_systems_keep_for_themselves_are_passed_over(hidden, library):
    save(library / hidden / "deep" / "a.png")
    (library / "quiet").mkdir(exist_ok=True)
    (library / "quiet" / ".nomedia").touch()
    save(library / ".hidden.png"), save(library / "seen.png", "blue")
    _, rows, failures, _ = Memory().scan(library)
    assert (names(rows), failures) == (["seen.png"], [])


@pytest.mark.parametrize("spelt", ["library/my home", "link to library/my home", "link to home"])
def test_a_home_inside_the_library_is_passed_over_however_it_is_spelt(spelt, library, tmp_path):
    picture = save(library / "my home" / "unknown" / "3f9a1c.jpg", "blue")
    (tmp_path / "link to library").symlink_to(library)
    (tmp_path / "link to home").symlink_to(library / "my home")
    (library / "link.jpg").symlink_to(picture)
    save(library / "home of others" / "seen.png")
    for root in (library, tmp_path / "link to library"):
        _, rows, failures, _ = Memory().scan(root, home=tmp_path / spelt)
        assert (names(rows), failures) == (["seen.png"], [])


def test_what_was_taken_for_photos_of_the_home_is_gone_with_the_next_scan(library):
    memory = Memory()
    save(library / "home" / "1.png"), save(library / "seen.png", "blue")
    memory.scan(library)
    walked, rows, _, _ = memory.scan(library, home=library / "home")
    assert (walked.gone, names(rows), rows[0]["gone"]) == (1, ["1.png"], True)


def test_links_are_followed_inside_the_library_only(library, tmp_path):
    save(library / "a.png"), save(tmp_path / "outside" / "b.png", "blue")
    (library / "link.png").symlink_to("a.png")
    (library / "out.png").symlink_to(tmp_path / "outside" / "b.png")
    (library / "folder out").symlink_to(tmp_path / "outside")
    (library / "loop").symlink_to(library)
    (library / "sub").mkdir()
    (library / "sub" / "again").symlink_to(library / "sub")
    walked, rows, failures, _ = Memory().scan(library)
    assert (names(rows), failures, walked.skipped) == (["a.png", "link.png"], [], 4)


def test_what_claims_to_be_a_photo_and_is_none_is_a_failure_in_plain_words(library):
    (library / "note.jpg").write_text("a note")
    (library / "empty.png").touch()
    (library / "dangling.jpg").symlink_to("nowhere.jpg")
    (library / "circle.jpg").symlink_to("circle.jpg")
    os.mkfifo(library / "pipe.jpg")
    (library / "dangling.txt").symlink_to("nowhere.txt")
    _, rows, failures, ignored = Memory().scan(library)
    told = {os.path.basename(failure["path"]): (failure["kind"], failure["reason"]) for failure in failures}
    assert told == {
        "note.jpg": ("not_a_photo", "it is named like a photo, but holds text"),
        "empty.png": ("empty", "the file is empty (0 bytes)"),
        "dangling.jpg": ("missing", "the link leads nowhere"),
        "circle.jpg": ("missing", "the link leads nowhere"),
        "pipe.jpg": ("not_a_photo", "this is not an ordinary file"),
    }
    assert {row["photo_id"] for row in rows} == {None} and len(rows) == 5 and ignored == 1


def test_a_failure_is_told_once(library):
    memory = Memory()
    (library / "note.jpg").write_text("a note")
    assert len(memory.scan(library)[2]) == 1
    walked, rows, failures, _ = memory.scan(library)
    assert (walked.unchanged, rows, failures) == (1, [], [])


def test_a_file_that_became_readable_is_taken_up(library):
    memory = Memory()
    (library / "late.png").write_bytes(b"not yet")
    status = (library / "late.png").stat()
    memory.scan(library)
    save(library / "late.png")
    row = memory.rows[str(library / "late.png")]
    row["size"] = (library / "late.png").stat().st_size  # as if only permissions had changed
    os.utime(library / "late.png", ns=(status.st_atime_ns, status.st_mtime_ns))
    assert memory.scan(library)[1][0]["photo_id"] == photo_id(library / "late.png")


def test_a_photo_that_turned_into_something_else_is_gone(library):
    memory = Memory()
    save(library / "picture")
    memory.scan(library)
    (library / "picture").write_text("no longer a picture")
    _, rows, failures, _ = memory.scan(library)
    assert (rows[0]["gone"], rows[0]["photo_id"], failures) == (True, None, [])


def test_a_file_over_the_size_limit_is_a_failure_and_not_read(library):
    save(library / "a.png")
    _, rows, failures, _ = Memory().scan(library, max_file_bytes=10)
    assert (rows[0]["photo_id"], failures[0]["kind"]) == (None, "too_large")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_cannot_be_read_is_a_failure_and_its_photos_stay(library):
    memory = Memory()
    save(library / "closed" / "a.png"), save(library / "b.png", "blue")
    memory.scan(library)
    (library / "closed").chmod(0)
    try:
        walked, rows, failures, _ = memory.scan(library)
    finally:
        (library / "closed").chmod(0o700)
    assert (walked.gone, rows) == (0, [])
    assert "cannot be read" in failures[0]["reason"]


def test_a_folder_that_vanishes_under_the_walk_leaves_its_photos_in_the_catalog(library, monkeypatch):
    memory = Memory()
    save(library / "sub" / "a.png"), save(library / "b.png", "blue")
    memory.scan(library)
    scandir = os.scandir

    def failing(path):
        if str(path).endswith("sub"):
            raise OSError(5, "Input/output error")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", failing)
    walked, rows, failures, _ = memory.scan(library)
    assert (walked.gone, rows) == (0, [])
    assert failures[0]["reason"] == "the folder cannot be read: Input/output error"


def test_a_library_that_is_not_there_is_named(library):
    with pytest.raises(LibraryMissing, match="nowhere can't be opened"):
        walk([library / "nowhere"], Memory().known())
    with pytest.raises(LibraryMissing, match="is not a folder"):
        walk([save(library / "a.png")], Memory().known())


def test_an_empty_mount_point_is_not_a_library_whose_photos_were_deleted(library):
    memory = Memory()
    save(library / "a.png")
    memory.scan(library)
    (library / "a.png").unlink()
    with pytest.raises(LibraryMissing, match="is empty"):
        memory.scan(library)
    assert walk([library], Memory().known()).new == 0  # an empty library that always was


def test_overlapping_roots_count_each_file_once(library):
    save(library / "sub" / "a.png")
    walked, rows, _, _ = Memory().scan(library, library / "sub", str(library) + "/")
    assert (walked.new, len(rows)) == (1, 1)


def test_another_root_does_not_make_the_first_one_s_photos_gone(library, tmp_path):
    memory = Memory()
    save(library / "a.png"), save(tmp_path / "library 2" / "b.png", "blue")
    memory.scan(library)
    walked, _, _, _ = memory.scan(tmp_path / "library 2")
    assert (walked.new, walked.gone) == (1, 0)


@settings(max_examples=100, deadline=None)
@given(st.binary(min_size=1, max_size=60).filter(lambda name: not {0, 47} & set(name) and name[:1] != b"."))
def test_any_name_the_disk_allows_is_found_and_can_be_opened_again(tmp_path_factory, name):
    library = tmp_path_factory.mktemp("names")
    save(library / os.fsdecode(name + b".png"))
    _, rows, _, _ = Memory().scan(library)
    assert os.fsencode(from_text(rows[0]["path"])) == os.fsencode(library) + b"/" + name + b".png"
    assert rows[0]["path"].encode("utf-8")
    assert walk([library], pa.Table.from_pylist([{**rows[0], "run_id": "1"}], FILES)).unchanged == 1


def test_roots_may_have_odd_names_too(tmp_path):
    library = tmp_path / b"\xff lib\\x41".decode("utf-8", "surrogateescape")
    save(library / "a.png")
    memory = Memory()
    memory.scan(library)
    (library / "a.png").rename(library / "b.png")
    walked, rows, _, _ = memory.scan(library)
    assert (walked.new, walked.gone) == (1, 1)
    assert {row["root"] for row in rows} == {to_text(library)}


def test_the_real_photos_are_all_recognised(samples):
    _, rows, failures, _ = Memory().scan(samples)
    files = [file for file in samples.rglob("*") if file.suffix.lower() in (".jpg", ".heic", ".heif")]
    assert len(rows) == len(files) and failures == []
