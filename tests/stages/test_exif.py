import datetime as dt
import math
import time

import piexif
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from myvlm_tag.schemas.tables import EXIF_FIELDS
from myvlm_tag.stages.exif import read_exif
from PIL import Image

NOTHING = {field.name: None for field in EXIF_FIELDS}


def block(image=None, exif=None, gps=None) -> bytes:
    return piexif.dump({"0th": image or {}, "Exif": exif or {}, "GPS": gps or {}})


RICH = block(
    {
        piexif.ImageIFD.Make: b"Nikon\0junk",
        piexif.ImageIFD.Model: b"Z 6 II  ",
        piexif.ImageIFD.Orientation: 6,
        piexif.ImageIFD.DateTime: b"2024:01:01 00:00:00",
    },
    {
        piexif.ExifIFD.DateTimeOriginal: b"2023:07:04 18:30:05",
        piexif.ExifIFD.SubSecTimeOriginal: b"25",
        piexif.ExifIFD.OffsetTimeOriginal: b"-03:30",
        piexif.ExifIFD.LensModel: b"NIKKOR Z 50mm f/1.8 S",
        piexif.ExifIFD.ExposureTime: (1, 250),
        piexif.ExifIFD.FNumber: (18, 10),
        piexif.ExifIFD.ISOSpeedRatings: 800,
        piexif.ExifIFD.FocalLength: (50, 1),
    },
    {
        piexif.GPSIFD.GPSLatitudeRef: b"S",
        piexif.GPSIFD.GPSLatitude: ((33, 1), (51, 1), (3543, 100)),
        piexif.GPSIFD.GPSLongitudeRef: b"W",
        piexif.GPSIFD.GPSLongitude: ((151, 1), (125, 10), (0, 1)),
        piexif.GPSIFD.GPSAltitudeRef: 1,
        piexif.GPSIFD.GPSAltitude: (43, 10),
    },
)


def test_every_column_is_read():
    values = read_exif(RICH)
    assert values["taken_at"] == dt.datetime(2023, 7, 4, 18, 30, 5, 250000)
    assert values["taken_offset_minutes"] == -210
    assert (values["camera_make"], values["camera_model"]) == ("Nikon", "Z 6 II")
    assert values["lens"] == "NIKKOR Z 50mm f/1.8 S"
    assert values["exposure_seconds"] == pytest.approx(1 / 250)
    assert values["f_number"] == pytest.approx(1.8)
    assert (values["iso"], values["focal_length_mm"], values["orientation"]) == (800, 50, 6)
    assert values["latitude"] == pytest.approx(-(33 + 51 / 60 + 35.43 / 3600))
    assert values["longitude"] == pytest.approx(-(151 + 12.5 / 60))
    assert values["altitude_m"] == pytest.approx(-4.3)


@pytest.mark.parametrize("nothing", [b"", b"Exif\0\0", b"II", b"MM\0*", b"no exif at all", bytes(100)])
def test_no_block_means_no_values(nothing):
    assert read_exif(nothing) == NOTHING


def test_a_malformed_tag_costs_that_tag_only():
    broken = RICH.replace(b"2023:07:04 18:30:05", b"2023:17:44 99:30:05")
    values, whole = read_exif(broken), read_exif(RICH)
    assert values["taken_at"] == dt.datetime(2024, 1, 1)  # the next best date
    assert values["taken_offset_minutes"] is None
    changed = {"taken_at", "taken_offset_minutes"}
    assert {k: v for k, v in values.items() if k not in changed} == {
        k: v for k, v in whole.items() if k not in changed
    }


@pytest.mark.parametrize("tag", [0x829A, 0x829D, 0x8827, 0x9003, 0x920A, 0xA434])
def test_a_tag_of_an_impossible_length_costs_that_tag_only(tag):
    at = RICH.index(tag.to_bytes(2), RICH.index(b"Nikon"))  # piexif writes big-endian blocks
    broken = RICH[: at + 4] + b"\0\0\0\1" + b"\xff\xff\xff\xff" + RICH[at + 12 :]
    values = read_exif(broken)
    lost = {name for name in values if values[name] != read_exif(RICH)[name]}
    assert len(lost - {"taken_offset_minutes"}) <= 1
    assert values["latitude"] is not None and values["camera_make"] == "Nikon"


@pytest.mark.parametrize(
    ("gps", "wrong"),
    [
        ({piexif.GPSIFD.GPSLatitude: ((91, 1), (0, 1), (0, 1))}, "latitude"),
        ({piexif.GPSIFD.GPSLatitude: ((1, 0), (0, 0), (0, 0))}, "latitude"),
        ({piexif.GPSIFD.GPSLongitude: ((181, 1), (0, 1), (0, 1))}, "longitude"),
        ({piexif.GPSIFD.GPSAltitude: (1, 0)}, "altitude_m"),
    ],
)
def test_a_place_that_is_not_on_earth_is_null(gps, wrong):
    assert read_exif(block(gps=gps))[wrong] is None


@pytest.mark.parametrize("text", [b"0000:00:00 00:00:00", b"    :  :     :  :  ", b"yesterday"])
def test_a_date_that_was_never_set_is_null(text):
    assert read_exif(block(exif={piexif.ExifIFD.DateTimeOriginal: text}))["taken_at"] is None


def test_a_block_of_many_long_tags_is_not_read_for_ever():
    tag = b"\x90\x00\x00\x04\x00\x00\x03\xe7\x00\x00\x00\x08"  # 999 numbers, from the start of the block
    hostile = b"MM\0*\0\0\0\x08" + (65535).to_bytes(2) + tag * 65535
    started = time.process_time()
    read_exif(hostile)
    assert time.process_time() - started < 5


def assert_sane(values):
    assert list(values) == [field.name for field in EXIF_FIELDS]
    pa.Table.from_pylist([values], pa.schema(EXIF_FIELDS))
    assert values["latitude"] is None or -90 <= values["latitude"] <= 90
    assert values["longitude"] is None or -180 <= values["longitude"] <= 180
    assert values["orientation"] in {None, *range(1, 9)}
    for name in ("exposure_seconds", "f_number", "focal_length_mm", "altitude_m"):
        assert values[name] is None or math.isfinite(values[name])
    for name in ("camera_make", "camera_model", "lens"):
        assert values[name] is None or values[name].isprintable()


@settings(deadline=None)
@given(st.sampled_from([b"II*\0", b"MM\0*", b"Exif\0\0II*\0"]), st.binary(max_size=400))
def test_any_bytes_after_a_header_give_sane_values(header, rest):
    assert_sane(read_exif(header + rest))


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, len(RICH) - 1), st.integers(0, 255)), max_size=12), st.integers(0, 99)
)
def test_a_damaged_block_gives_sane_values(changes, cut):
    damaged = bytearray(RICH)
    for at, value in changes:
        damaged[at] = value
    assert_sane(read_exif(bytes(damaged[: len(damaged) - cut])))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("jpg/gps/DSCN0010.jpg", {"latitude": 43.46744833, "longitude": 11.88512667, "camera_make": "NIKON"}),
        ("jpg/Kodak_CX7530.jpg", {"latitude": -0.3713, "longitude": 36.05641667, "f_number": 4.6}),
        ("jpg/mobile/HMD_Nokia_8.3_5G.jpg", {"taken_offset_minutes": 180, "iso": 100}),
        ("jpg/hdr/canon_hdr_YES.jpg", {"orientation": 6, "exposure_seconds": 0.005}),
    ],
)
def test_real_photos_say_where_and_how_they_were_taken(samples, name, expected):
    with Image.open(samples / name) as picture:
        values = read_exif(picture.info["exif"])
    assert {name: values[name] for name in expected} == pytest.approx(expected)


def test_every_real_photo_gives_sane_values(samples):
    for file in sorted(samples.rglob("*.jpg")):
        with Image.open(file) as picture:
            assert_sane(read_exif(picture.info.get("exif", b"")))
