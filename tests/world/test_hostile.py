"""Each hostile file is there, is what hostile.json says, and ends so in our own scan and decoder."""

from __future__ import annotations

import json
import os
import stat

import numpy as np
import pytest
from myvlm_tag.schemas.paths import from_text, to_text
from myvlm_tag.schemas.tables import FILES
from myvlm_tag.stages.codecs import Limits, UnreadablePhoto, read_photo
from myvlm_tag.stages.scan import identify, walk
from PIL import Image, UnidentifiedImageError


@pytest.fixture(scope="module")
def hostile(sample) -> dict[str, dict]:
    return {entry["file"]: entry for entry in json.loads((sample.out / "hostile.json").read_text())}


def odd(sample, name: str):
    return sample.out / "library" / "odd ends" / name


def test_every_listed_file_is_there_and_says_what_must_become_of_it(sample, hostile):
    assert len(hostile) == sample.summary.hostile_files >= 30
    for entry in hostile.values():
        assert os.path.lexists(sample.path(entry["file"])), entry
        assert entry["becomes"] in ("read", "failure", "skipped")
        assert ("kind" in entry) == (entry["becomes"] == "failure")


def test_only_files_that_must_be_read_stand_in_the_tables_of_truth(sample, hostile):
    readable = {file for file, entry in hostile.items() if entry["becomes"] == "read"}
    for table in ("photos", "truth"):
        assert {r["file"] for r in sample.rows(table) if r["file"].startswith("odd ends/")} == readable


def test_our_own_scan_and_decoder_agree_with_the_list(sample, hostile):
    library = sample.out / "library"
    found = walk([library], FILES.empty_table())
    outcomes = {failure["path"]: ("failure", failure["kind"]) for failure in found.failures}
    for batch in identify(found.entries):
        outcomes |= {failure["path"]: ("failure", failure["kind"]) for failure in batch.failures.to_pylist()}
        for row in batch.files.to_pylist():
            if row["path"] not in outcomes:
                outcomes[row["path"]] = decoded(row["path"])
    for file, entry in hostile.items():
        becomes = entry.get("if_root", entry["becomes"]) if os.geteuid() == 0 else entry["becomes"]
        wanted = (becomes, entry["kind"]) if becomes == "failure" else (becomes, "")
        assert outcomes.pop(f"{to_text(library)}/{file}", ("skipped", "")) == wanted, entry
    assert set(outcomes.values()) == {("read", "")}


def decoded(path: str) -> tuple[str, str]:
    try:
        read_photo(from_text(path), Limits())
    except UnreadablePhoto as error:
        return "failure", error.kind
    return "read", ""


def test_the_empty_the_cut_off_and_the_text_are_what_they_say(sample):
    assert odd(sample, "empty.jpg").stat().st_size == 0
    with Image.open(odd(sample, "half.jpg")) as image, pytest.raises(OSError, match="truncated"):
        image.load()
    assert odd(sample, "half zeros.jpg").read_bytes().endswith(bytes(5000))
    assert odd(sample, "letter.jpg").read_text().isprintable() is False
    with pytest.raises(UnidentifiedImageError):
        Image.open(odd(sample, "letter.jpg"))


def test_the_bomb_is_small_and_claims_900_megapixels(sample):
    data = odd(sample, "bomb.png").read_bytes()
    assert len(data) < 200_000
    assert int.from_bytes(data[16:20]) * int.from_bytes(data[20:24]) == 900_000_000


def test_the_panorama_has_60_megapixels(sample):
    with Image.open(odd(sample, "panorama.jpg")) as image:
        assert image.size == (12_000, 5_000)
        image.draft("RGB", (1500, 625))
        assert np.asarray(image).std() > 10  # a picture, to the end


@pytest.mark.parametrize(
    ("name", "mode"),
    [("print shop.jpg", "CMYK"), ("deep gray.png", "I;16"), ("palette.png", "P"), ("moving.gif", "P")],
)
def test_unusual_color_modes_are_stored_as_such(sample, name, mode):
    with Image.open(odd(sample, name)) as image:
        assert image.mode == mode


def test_the_deep_png_has_16_bits_per_channel(sample):
    assert odd(sample, "deep.png").read_bytes()[24] == 16


def test_the_animation_moves_from_its_picture_to_the_dark(sample):
    with Image.open(odd(sample, "moving.gif")) as image:
        assert image.n_frames == 3
        first = np.asarray(image.convert("RGB")).mean()
        image.seek(2)
        assert np.asarray(image.convert("RGB")).mean() < first / 4


def test_links_lead_nowhere_out_of_the_library_and_in_a_circle(sample):
    library = sample.out / "library"
    assert not odd(sample, "gone.jpg").exists()
    for name in ("outside.jpg", "outside"):
        target = odd(sample, name).resolve()
        assert target.exists()
        assert not target.is_relative_to(library) and target.is_relative_to(sample.out)
    assert odd(sample, "round and round").resolve() == odd(sample, "")


def test_nobody_may_read_the_locked_photo(sample):
    assert stat.S_IMODE(odd(sample, "locked.jpg").stat().st_mode) == 0


def test_names_hold_a_newline_bytes_that_are_no_utf8_and_as_much_as_a_disk_takes(sample, hostile):
    names = os.listdir(os.fsencode(odd(sample, "")))
    assert any(b"\n" in name for name in names)
    assert max(map(len, names)) == 255
    with pytest.raises(UnicodeDecodeError):
        b"".join(names).decode()
    assert "odd ends/caf\\xe9 \\xff.jpg" in hostile


@pytest.mark.parametrize(
    ("name", "format"),
    [
        ("really a.png.jpg", "PNG"),
        ("really a.jpg.heic", "JPEG"),
        ("really a.heic.png", "HEIF"),
        ("really a photo.txt", "JPEG"),
        ("no extension", "JPEG"),
    ],
)
def test_extensions_lie_both_ways(sample, name, format):
    with Image.open(odd(sample, name)) as image:
        assert image.format == format
