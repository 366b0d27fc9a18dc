import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from myvlm_tag.stages.formats import HEAD_BYTES, describe, named_like_photo, sniff
from PIL import Image, features

SAVED = ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "HEIF", "AVIF", "JPEG2000"]


def iso_media(major: bytes, *compatible: bytes) -> bytes:
    brands = major + bytes(4) + b"".join(compatible)
    return (8 + len(brands)).to_bytes(4) + b"ftyp" + brands + bytes(64)


@pytest.mark.parametrize("name", SAVED)
def test_what_pillow_writes_is_recognised(name, tmp_path):
    if name == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    Image.new("RGB", (64, 48), "red").save(tmp_path / "picture", format=name)
    assert sniff((tmp_path / "picture").read_bytes()[:HEAD_BYTES]) == name


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (iso_media(b"heic", b"mif1", b"heic"), "HEIF"),
        (iso_media(b"mif1", b"mif1", b"avif", b"miaf"), "AVIF"),
        (iso_media(b"mif1", b"miaf"), "HEIF"),
        (iso_media(b"crx ", b"crx ", b"isom"), "CR3"),
        (iso_media(b"isom", b"isom", b"mp42"), None),
        (b"II*\x00\x10\x00\x00\x00CR\x02\x00" + bytes(64), "CR2"),
        (b"MM\x00*\x00\x00\x00\x08" + bytes(64), "TIFF"),
        (b"FUJIFILMCCD-RAW 0201", "RAF"),
        (b"IIU\x00\x18\x00\x00\x00", "RW2"),
        (b"IIRO\x08\x00\x00\x00", "ORF"),
        (b"\xff\x0a" + bytes(20), "JXL"),
        (b"RIFF\x10\x00\x00\x00WAVEfmt ", None),
    ],
)
def test_formats_are_told_by_their_first_bytes(head, name):
    assert sniff(head) == name


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (b"Dear diary,\nnothing happened.", "text"),
        (b"<!DOCTYPE html><html>", "a web page or other markup"),
        (b"%PDF-1.7", "a PDF document"),
        (bytes(512), "nothing but zero bytes"),
        (iso_media(b"isom", b"mp42"), "a video"),
        (b"PK\x03\x04\x14\x00", "a ZIP archive"),
        (b"\x01\x02\xfe\xfd", "data of an unknown kind"),
    ],
)
def test_other_content_is_described_in_plain_words(head, words):
    assert sniff(head) is None
    assert describe(head) == words


@settings(deadline=None)
@given(st.binary(max_size=600))
def test_no_content_is_too_odd_to_be_looked_at(head):
    assert sniff(head) is None or isinstance(sniff(head), str)
    assert describe(head)


@settings(deadline=None)
@given(st.binary(min_size=1, max_size=100))
def test_a_name_of_any_bytes_has_its_suffix_seen(name):
    assert named_like_photo(name + b".JPeG")
    assert not named_like_photo(name + b".txt")
