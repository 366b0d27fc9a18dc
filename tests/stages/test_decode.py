import pickle

import numpy as np
import pyarrow as pa
import pytest
from myvlm_tag.stages.decode import Decode
from myvlm_tag.stages.images import from_table
from PIL import Image


@pytest.fixture
def files(tmp_path, scene):
    scene.save(tmp_path / "a.jpg")
    (tmp_path / "note.jpg").write_text("a note")
    scene.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "b.png")
    return [tmp_path / "a.jpg", tmp_path / "note.jpg", tmp_path / "gone.jpg", tmp_path / "b.png"]


def test_rows_stay_in_place_when_some_fail(files, decode, todo):
    table = decode(files)
    assert table.select(["photo_id", "path", "size"]) == todo(files)
    assert [f and f["kind"] for f in table["failure"].to_pylist()] == [None, "not_a_photo", "missing", None]
    assert table["width"].to_pylist() == [800, None, None, 600]
    images = from_table(table)
    assert [image is None for image in images] == [False, True, True, False]
    assert images[0].shape == (600, 800, 3) and images[3].shape == (800, 600, 3)


def test_the_columns_are_those_declared(files, decode, todo):
    table = decode(files)
    assert table.schema == pa.schema([*todo(files).schema, *Decode.gives])
    assert decode([]).schema == table.schema


def test_a_failed_photo_has_no_other_values(files, decode):
    row = decode(files).slice(1, 1).to_pylist()[0]
    kept = {"photo_id", "path", "size", "failure"}
    assert {name for name, value in row.items() if value is not None} == kept


def test_names_of_any_bytes_are_opened(tmp_path, scene, decode):
    file = tmp_path / b"caf\xe9 \\x41 \n.jpg".decode("utf-8", "surrogateescape")
    scene.save(file)
    assert decode([file])["failure"].to_pylist() == [None]


def test_a_file_that_is_still_being_written_is_left_for_the_next_run(tmp_path, scene, todo):
    file = tmp_path / "copying.jpg"
    scene.save(file)
    table = todo([file])
    file.write_bytes(file.read_bytes() + b"more")
    stage = Decode()
    stage.setup()
    assert stage(table)["failure"].to_pylist()[0]["kind"] == "changed"


def test_pictures_survive_the_table(tmp_path, scene, decode):
    scene.save(tmp_path / "exact.png")
    table = decode([tmp_path / "exact.png"] * 3)
    for part in (table, table.slice(1), pa.concat_tables([table, table]).combine_chunks()):
        for image in from_table(part):
            assert np.array_equal(image, np.asarray(scene))


def test_another_decoder_can_be_named(tmp_path, scene, todo, monkeypatch):
    (tmp_path / "gray_decoder.py").write_text(
        "import numpy as np\n"
        "from myvlm_tag.schemas.tables import EXIF_FIELDS\n"
        "from myvlm_tag.stages.codecs import Photo\n"
        "def paint(path, limits):\n"
        "    exif = {field.name: None for field in EXIF_FIELDS}\n"
        "    return Photo(np.full((4, 4, 3), 127, np.uint8), 4, 4, 'GRAY', exif)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    scene.save(tmp_path / "a.jpg")
    stage = pickle.loads(pickle.dumps(Decode(decoder="gray_decoder:paint")))
    stage.setup()
    assert stage(todo([tmp_path / "a.jpg"]))["format"].to_pylist() == ["GRAY"]


def test_the_eight_orientation_photos_have_the_same_upright_size(samples, decode):
    for shape in ("landscape", "portrait"):
        table = decode([samples / "jpg" / "orientation" / f"{shape}_{i}.jpg" for i in range(1, 9)])
        sizes = set(zip(table["width"].to_pylist(), table["height"].to_pylist(), strict=True))
        assert sizes == {(600, 450) if shape == "landscape" else (450, 600)}
        assert table["orientation"].to_pylist() == list(range(1, 9))
        first, *others = [image.astype(float) for image in from_table(table)]
        for image in others:
            assert np.corrcoef(first.ravel(), image.ravel())[0, 1] > 0.96


def test_every_real_photo_is_read_or_refused_with_a_reason(samples, decode):
    files = sorted(file for file in samples.rglob("*") if file.suffix.lower() in (".jpg", ".heic", ".heif"))
    table = decode(files)
    assert table["failure"].null_count == len(files)  # the damaged ones are damaged in their EXIF only
    heic = {"IMG_5195.HEIC": (2566, 3313), "HMD_Nokia_8.3_5G.heif": (3456, 4608)}
    rows = zip(files, table["width"].to_pylist(), table["height"].to_pylist(), strict=True)
    for file, width, height in rows:
        assert width and height
        assert (width, height) == heic.get(file.name, (width, height))
