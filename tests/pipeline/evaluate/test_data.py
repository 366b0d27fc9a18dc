"""A folder of concepts is read as it lies there, and divided anew for each seed."""

import json

import pytest
from myvlm_tag.pipeline.evaluate.data import Facts, divide, read_dataset
from myvlm_tag.pipeline.evaluate.run import check_tables
from myvlm_tag.schemas.errors import UsageProblem


@pytest.fixture
def folder(tmp_path):
    for name in ("anna", "mug", "lonely"):
        (tmp_path / name).mkdir()
        for number in range(1 if name == "lonely" else 8):
            (tmp_path / name / f"{number}.jpg").touch()
    (tmp_path / "anna" / "captions.json").write_text('{"0.jpg": ["Anna on a bench"]}')
    facts = {f"{number}.jpg": {"teaches": number < 5} for number in range(8)}
    facts["7.jpg"] |= {"box": [1, 2, 3, 4], "answers": {"doing": ["waving"]}, "others": ["mug"]}
    (tmp_path / "anna" / "facts.json").write_text(json.dumps(facts))
    return tmp_path


def test_photos_come_with_their_captions_and_facts(folder):
    data = read_dataset(folder, "mine", 1)
    assert [subject.name for subject in data.subjects] == ["anna", "mug"]  # one photo judges nothing
    anna, mug = data.subjects
    assert anna.shots[0].captions == ("Anna on a bench",)
    assert anna.shots[7].facts == Facts(False, (1.0, 2.0, 3.0, 4.0), {"doing": ("waving",)}, ("mug",))
    assert mug.shots[0].facts == Facts() and mug.shots[0].captions == ()
    assert [subject.name for subject in read_dataset(folder, "mine", 1, most=1).subjects] == ["anna"]


def test_a_draw_learns_from_photos_that_teach_and_judges_by_others(folder):
    anna = read_dataset(folder, "mine", 1).subjects[0]
    draws = [divide(anna, seed, 4, 3) for seed in range(8)]
    for draw in draws:
        assert len(draw.training) == 4 and all(shot.facts.teaches for shot in draw.training)
        taught, judged = ({shot.path for shot in part} for part in (draw.training, draw.validation))
        assert len(judged) == 3 and not taught & judged
    assert len({tuple(shot.path for shot in draw.training) for draw in draws}) > 1
    assert divide(anna, 3, 4, 3) == draws[3]
    assert len(divide(anna, 3, 9, 9).training) == 5


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [("facts.json", "[", "as facts"), ("captions.json", "{", "as captions"), (None, "", "holds 2 photos")],
)
def test_a_folder_that_cannot_be_used_is_one_line(tmp_path, file, text, words):
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "1.jpg").touch()
    if file:
        (tmp_path / "x" / file).write_text(text)
    with pytest.raises(UsageProblem, match=words):
        read_dataset(tmp_path, "mine", 1)
    with pytest.raises(UsageProblem, match="there is no folder"):
        read_dataset(tmp_path / "gone", "mine", 1)


def test_tables_are_named_by_the_paper_s_numbers():
    assert check_tables("1, vqa") == ["1", "vqa"]
    assert "7" in check_tables("")
    with pytest.raises(UsageProblem, match="no table '3'; known are: 1, 2, 5, 6, 7, vqa"):
        check_tables("1,3")
