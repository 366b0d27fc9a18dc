"""Captions are read from captions.json or from text files beside photos, and what is no caption is said."""

import json

import pytest
from myvlm_tag.pipeline.written import read_captions
from myvlm_tag.schemas.errors import UsageProblem


def test_captions_json_names_photos_and_text_files_fill_the_gaps(tmp_path):
    photos = [tmp_path / name for name in ("1.jpg", "2.jpg", "3.png", "4.jpg")]
    (tmp_path / "captions.json").write_text(json.dumps({"1.jpg": ["Anna  on a bench", ""], "2.jpg": "Anna"}))
    (tmp_path / "1.txt").write_text("not this one")
    (tmp_path / "3.png.txt").write_text("\ufeffAnna in the sea\n\nAnna swims\n", encoding="utf-8")
    assert read_captions(photos) == {
        photos[0]: ("Anna on a bench",),
        photos[1]: ("Anna",),
        photos[2]: ("Anna in the sea", "Anna swims"),
    }


def test_another_file_of_captions_can_be_named(tmp_path):
    (tmp_path / "captions.json").write_text('{"1.jpg": "no"}')
    other = tmp_path / "other.json"
    other.write_text('{"1.jpg": "yes"}')
    photo = tmp_path / "1.jpg"
    assert read_captions([photo], other) == {photo: ("yes",)}


@pytest.mark.parametrize("text", ["", "[1]", '{"1.jpg": [3]}', '{"1.jpg": 3}', '"a"'])
def test_what_is_no_list_of_captions_is_one_line_with_an_example(tmp_path, text):
    (tmp_path / "captions.json").write_text(text)
    with pytest.raises(UsageProblem, match=r"captions\.json can't be read as captions.*it should look like"):
        read_captions([tmp_path / "1.jpg"])


def test_a_file_that_was_named_must_be_there(tmp_path):
    with pytest.raises(UsageProblem, match="can't be read as captions"):
        read_captions([tmp_path / "1.jpg"], tmp_path / "gone.json")
