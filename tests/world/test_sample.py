"""The sample library as files: counts, truth against pixels, EXIF, formats, sameness."""

from __future__ import annotations

import hashlib
import io
import itertools
import re
from collections import Counter, defaultdict
from datetime import datetime
from pathlib import Path

import exifread
import numpy as np
import pytest
from myvlm_tag.schemas.errors import UsageProblem
from myvlm_tag.world.sample import write_sample
from myvlm_tag.world.sample.cast import sample_cast
from myvlm_tag.world.sample.develop import develop
from myvlm_tag.world.sample.formats import EXTENSIONS
from myvlm_tag.world.sample.library import library_shots
from myvlm_tag.world.things import COLORS
from PIL import Image


def digests(folder: Path) -> dict[str, str]:
    files = (p for p in folder.rglob("*") if p.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def is_hostile(row: dict) -> bool:
    return row["file"].startswith("odd ends/")


def share_of(pixels: np.ndarray, color: tuple[float, float, float]) -> float:
    """The part of the pixels that have this colour, darker or brighter as light and camera make it."""
    flat, wanted = pixels.reshape(-1, 3).astype(float), np.array(color, float)
    light = (flat @ wanted / (wanted @ wanted))[:, None].clip(0.5, 1.4)
    return float((np.abs(flat - light * wanted).max(axis=1) < 42).mean())


def cut(pixels: np.ndarray, row: dict, prefix: str = "") -> np.ndarray:
    x0, y0, x1, y1 = (round(row[prefix + edge]) for edge in ("x0", "y0", "x1", "y1"))
    return pixels[y0:y1:3, x0:x1:3]  # every ninth pixel is enough to tell colors


def test_the_library_holds_exactly_the_photos_asked_for(sample):
    files = [row["file"] for row in sample.rows("photos") if not is_hostile(row)]
    assert len(files) == len(set(files)) == sample.summary.photos == 52
    on_disk = {
        p.relative_to(sample.out / "library").as_posix()
        for p in (sample.out / "library").rglob("*")
        if p.is_file() and p.relative_to(sample.out / "library").parts[0] not in ("odd ends", ".trash")
    }
    assert on_disk == set(files)


def test_each_of_the_eight_concepts_has_five_photos(sample):
    summary = sample.summary
    assert (len(summary.people), len(summary.pets), len(summary.things)) == (4, 2, 2)
    folders = {folder.name: len(list(folder.iterdir())) for folder in (sample.out / "concepts").iterdir()}
    assert folders == dict.fromkeys((*summary.people, *summary.pets, *summary.things), 5)


def test_people_stand_alone_in_four_of_their_five_photos_and_show_their_face(sample):
    by_file = defaultdict(list)
    for row in sample.rows("concepts"):
        by_file[row["file"]].append(row)
    alone = Counter(rows[0]["concept"] for rows in by_file.values() if len(rows) == 1)
    assert all(alone[name] >= 4 for name in sample.summary.people)
    for row in sample.rows("concepts"):
        if row["concept"] is not None and row["kind"] == "person":
            assert row["facing"] in ("front", "three-quarter")
            assert (row["face_y1"] - row["face_y0"]) / row["height"] > 60 / 768


def test_each_photo_of_a_concept_shows_it(sample):
    shown = {(row["file"], row["concept"]) for row in sample.rows("concepts")}
    for path in (sample.out / "concepts").glob("*/*"):
        assert (path.relative_to(sample.out / "concepts").as_posix(), path.parent.name) in shown


def test_no_photo_of_a_concept_is_one_of_the_library(sample):
    def thumbnails(table: str, folder: str) -> np.ndarray:
        files = sorted({row["file"] for row in sample.rows(table) if not is_hostile(row)})
        images = [Image.fromarray(sample.upright(file, folder)).resize((24, 24)) for file in files]
        return np.array([np.asarray(image, float) for image in images])

    library, concepts = thumbnails("truth", "library"), thumbnails("concepts", "concepts")
    difference = np.abs(library[:, None] - concepts[None]).mean(axis=(2, 3, 4))
    assert difference.min() > 3


def test_truth_has_its_columns_in_the_promised_order(sample):
    promised = [
        "file", "entity", "kind", "concept", "category", "x0", "y0", "x1", "y1",
        "face_x0", "face_y0", "face_x1", "face_y1", "garment", "color", "doing", "where", "next_to", "place",
    ]  # fmt: skip
    assert list(sample.rows("truth")[0])[: len(promised)] == promised
    assert list(sample.rows("concepts")[0]) == list(sample.rows("truth")[0])


def test_every_box_lies_in_the_upright_photo(sample):
    for row in sample.rows("truth"):
        assert 0 <= row["x0"] < row["x1"] <= row["width"]
        assert 0 <= row["y0"] < row["y1"] <= row["height"]


def test_decoded_and_turned_upright_a_photo_has_the_size_that_the_truth_says(sample):
    for row in sample.rows("photos"):
        if not is_hostile(row):
            assert sample.upright(row["file"]).shape == (row["height"], row["width"], 3)
            assert min(row["width"], row["height"]) >= 768
            assert max(row["width"], row["height"]) >= 1024


def test_a_persons_box_holds_the_color_of_the_garment(sample):
    people = [r for r in sample.rows("truth") if r["kind"] == "person" and r["main"] and not is_hostile(r)]
    assert len(people) > 30
    for row in people:
        assert share_of(cut(sample.upright(row["file"]), row), COLORS[row["color"]]) > 0.06, row


def test_a_face_box_holds_the_skin_of_its_person_and_the_landmarks_lie_in_order(sample):
    people = sample_cast(np.random.default_rng([sample.seed, 0])).people
    faces = [
        r for r in sample.rows("truth") if r["concept"] and r["face_x0"] is not None and not is_hostile(r)
    ]
    assert len(faces) > 20
    for row in faces:
        skin = people[row["concept"]].skin
        assert share_of(cut(sample.upright(row["file"]), row, "face_"), skin) > 0.5, row
        left_eye, right_eye, nose, left_mouth, right_mouth = np.reshape(row["landmarks"], (5, 2))
        assert left_eye[0] < right_eye[0] and left_mouth[0] < right_mouth[0]
        assert max(left_eye[1], right_eye[1]) < min(left_mouth[1], right_mouth[1])
        assert row["face_y0"] < nose[1] < row["face_y1"]


def test_people_turned_away_have_no_face(sample):
    away = [row for row in sample.rows("truth") if row["facing"] == "back"]
    assert away
    assert all(row["face_x0"] is None and row["landmarks"] is None for row in away)


def test_all_orientations_and_all_formats_come_and_some_extensions_lie(sample):
    rows = [row for row in sample.rows("photos") if not is_hostile(row)]
    assert {row["orientation"] for row in rows} >= set(range(1, 9))
    assert {row["format"] for row in rows} == set(EXTENSIONS)
    lies = 0
    for row in rows:
        with Image.open(sample.path(row["file"])) as image:
            assert image.format == row["format"]
        lies += not row["file"].lower().endswith("." + EXTENSIONS[row["format"]])
    assert 1 <= lies <= 10


def test_copies_have_the_same_bytes_and_a_burst_is_taken_within_seconds(sample):
    rows = {row["file"]: row for row in sample.rows("photos")}
    copies = [row for row in rows.values() if row["copy_of"]]
    assert copies
    for row in copies:
        assert sample.path(row["file"]).read_bytes() == sample.path(row["copy_of"]).read_bytes()
    bursts = defaultdict(list)
    for row in rows.values():
        if row["burst"] is not None:
            bursts[row["burst"]].append(row)
    assert bursts
    for burst in bursts.values():
        times = [row["taken_at"] for row in burst]
        assert (max(times) - min(times)).total_seconds() < 5
        images = [sample.upright(row["file"]).astype(int) for row in burst]
        assert all(np.abs(images[0] - other).mean() > 0.5 for other in images[1:])


def read_exif(path: Path) -> dict:
    """EXIF by exifread, given the block itself where exifread does not find it in the container."""
    with Image.open(path) as image:
        block = image.info.get("exif", b"").removeprefix(b"Exif\0\0")
        data = block if image.format in ("WEBP", "HEIF") else path.read_bytes()
    return exifread.process_file(io.BytesIO(data), details=False)


def degrees(tags: dict, axis: str) -> float:
    whole, minutes, seconds = (float(v) for v in tags[f"GPS GPS{axis}"].values)
    sign = -1 if tags[f"GPS GPS{axis}Ref"].values in ("S", "W") else 1
    return sign * (whole + minutes / 60 + seconds / 3600)


def test_exifread_finds_date_camera_offset_and_place(sample):
    seen = Counter()
    for row in sample.rows("photos"):
        if is_hostile(row) or row["orientation"] is None:
            continue
        tags = read_exif(sample.path(row["file"]))
        taken = datetime.strptime(str(tags["EXIF DateTimeOriginal"]), "%Y:%m:%d %H:%M:%S")
        assert taken == row["taken_at"].replace(microsecond=0)
        assert str(tags["Image Model"]) == row["camera"]
        if row["offset_minutes"] is not None:
            sign, hours, minutes = re.fullmatch(
                r"([+-])(\d\d):(\d\d)", str(tags["EXIF OffsetTimeOriginal"])
            ).groups()
            assert (int(hours) * 60 + int(minutes)) * (-1 if sign == "-" else 1) == row["offset_minutes"]
            seen["offset"] += 1
        if row["latitude"] is not None:
            assert degrees(tags, "Latitude") == pytest.approx(row["latitude"], abs=1e-5)
            assert degrees(tags, "Longitude") == pytest.approx(row["longitude"], abs=1e-5)
            seen["gps"] += 1
        if row["format"] != "HEIF":  # whose reader turns the picture and says 1
            assert tags["Image Orientation"].values == [row["orientation"]]
        seen[row["camera"]] += 1
    assert min(seen.values()) > 0 and len(seen) == 6  # four cameras


def test_photos_without_exif_are_there_too(sample):
    bare = [row for row in sample.rows("photos") if row["orientation"] is None and not is_hostile(row)]
    assert bare
    assert all(read_exif(sample.path(row["file"])) == {} for row in bare)


def test_a_folder_with_a_date_holds_photos_of_that_month(sample):
    dated = 0
    for row in sample.rows("photos"):
        if match := re.match(r"(\d{4})/(?:\d{4}-)?(\d\d)", row["file"]):
            assert (int(match[1]), int(match[2])) == (row["taken_at"].year, row["taken_at"].month)
            dated += 1
    assert dated > 20


def test_progress_counts_up_to_the_total(sample):
    done = [step[0] for step in sample.progress]
    assert done == sorted(done)
    assert sample.progress[-1] == (52 + 40, 52 + 40)


def test_the_same_seed_gives_the_same_bytes_and_an_earlier_sample_is_gone(sample, tmp_path):
    again = tmp_path / "again"
    for file in ("sample.json", "truth.parquet", "library/2020/old.jpg", "concepts/somebody/old.jpg"):
        (again / file).parent.mkdir(parents=True, exist_ok=True)
        (again / file).write_text("of an earlier sample")
    write_sample(again, 1, seed=sample.seed)
    second, first = digests(again), digests(sample.out)
    same = {"concepts.parquet", *(file for file in first if file.startswith("concepts/"))}
    assert {file: second[file] for file in same} == {file: first[file] for file in same}
    assert {file for file in second if file.startswith("concepts/")} == same - {"concepts.parquet"}
    assert len([file for file in second if file.startswith("library/")]) == 1


def test_a_photo_of_the_library_has_the_same_bytes_in_this_process(sample, tmp_path):
    cast = sample_cast(np.random.default_rng([sample.seed, 0]))
    for shot in itertools.islice(library_shots(cast, sample.summary.photos, sample.seed), 3):
        develop(shot, tmp_path, cast.names)
        assert (tmp_path / shot.file).read_bytes() == sample.path(shot.file).read_bytes()


def test_another_seed_gives_other_people():
    one, other = (sample_cast(np.random.default_rng([seed, 0])) for seed in (1, 2))
    for person in one.people.values():
        nearest = min(np.abs(person.vector() - p.vector()).mean() for p in other.people.values())
        assert nearest > 0.1
    assert not set(one.names) & set(other.names)


def test_a_folder_that_holds_something_else_is_refused_and_left_alone(tmp_path):
    (tmp_path / "holiday.txt").write_text("mine")
    with pytest.raises(UsageProblem, match="is not empty and holds no sample; choose a folder") as problem:
        write_sample(tmp_path, 1, seed=1)
    assert "\n" not in str(problem.value)
    assert digests(tmp_path).keys() == {"holiday.txt"}
