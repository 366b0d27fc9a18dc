"""What CLIP and LLaVA learn from: photos with their truth, turns, packed rows, weights under other names."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest
import torch
from myvlm_tag.world.train import llava
from myvlm_tag.world.train.batches import NOBODY, Packer, attention_mask
from myvlm_tag.world.train.context import POINTING_LAYER
from myvlm_tag.world.train.llava import FRAME
from myvlm_tag.world.train.optimizers import MuonAndAdamW
from myvlm_tag.world.train.pool import Photo, draw, mirrored, sample_photo, view_box
from myvlm_tag.world.train.pool import _dump as dump
from myvlm_tag.world.train.pool import _parse as parse
from myvlm_tag.world.train.text import IDENTIFIER, Turn, turns
from myvlm_tag.world.train.vision import GRID, owners, to_pixels
from myvlm_tag.world.vocabulary import NAMES
from torch.nn.functional import linear


@pytest.fixture(scope="module")
def photos() -> list[Photo]:
    kinds = ["scene"] * 16 + ["crop"] * 6 + ["instance"] * 6
    return [sample_photo(kind, np.random.default_rng([51, n])) for n, kind in enumerate(kinds)]


@pytest.fixture(scope="module")
def said(photos: list[Photo]) -> list[Turn]:
    return [turn for n, photo in enumerate(photos) for turn in turns(photo, np.random.default_rng([52, n]))]


def test_a_photo_survives_the_pool_s_text_form(photos: list[Photo]) -> None:
    for photo in photos:
        again = parse(dump(photo).encode())

        assert [e.entity.key for e in again.found] == [e.entity.key for e in photo.found]
        assert (
            np.abs(
                draw(again, np.random.default_rng(0)).astype(int) - draw(photo, np.random.default_rng(0))
            ).mean()
            < 2
        )


def test_a_crop_shows_its_subject(photos: list[Photo]) -> None:
    for photo in photos:
        if photo.kind == "crop":
            subject = next(e for e in photo.found if e.key == photo.subject)
            assert view_box(subject.box, photo.view) is not None


def test_the_tokenizer_gives_every_sentence_back_and_knows_every_word(said: list[Turn]) -> None:
    words, packer = llava.tokenizer(), Packer(llava.tokenizer(), FRAME)
    for turn in said:
        for sentence in (turn.question, turn.answer, *(i.sentence for i in turn.introductions)):
            ids = words(sentence, add_special_tokens=False)["input_ids"]

            assert ids == packer.encode(sentence)
            assert words.unk_token_id not in ids
            assert words.decode(ids) == sentence.lower()


def test_a_name_is_said_only_where_someone_is_introduced_by_it(said: list[Turn]) -> None:
    captions = [turn for turn in said if turn.topic == "caption"]
    for turn in captions:
        given = {i.name for i in turn.introductions if i.key} | set(
            re.findall(r"(\w+) is (?:on|in|at)", turn.question)
        )
        spoken = set(turn.answer.split()) & {*NAMES, IDENTIFIER}

        assert spoken <= given
    assert any(set(turn.answer.split()) & {*NAMES, IDENTIFIER} for turn in captions)


def test_someone_who_is_introduced_but_absent_is_not_named(said: list[Turn]) -> None:
    absent = [(t, i) for t in said if t.topic == "caption" for i in t.introductions if i.key is None]

    assert absent
    for turn, introduction in absent:
        assert introduction.name not in turn.answer.split()


def test_a_packed_turn_gives_what_it_gives_alone(photos: list[Photo], said: list[Turn]) -> None:
    torch.manual_seed(0)
    packer, model = Packer(llava.tokenizer(), FRAME), llava.build_llava(llava.tokenizer()).eval()
    plain = [dataclasses.replace(turn, as_vectors=False) for turn in said[:6]]
    packed, alone = packer.row(plain), packer.row([plain[2]])
    image = to_pixels(draw(photos[0], np.random.default_rng(0))[None])
    inner = model.model
    with torch.no_grad():
        features = inner.multi_modal_projector(inner.vision_tower(image).last_hidden_state[:, 1:])
        embedded = inner.language_model.embed_tokens(torch.tensor([packed.ids]))
        embedded[:, FRAME.start : FRAME.prefix] = features
        states = inner.language_model(
            inputs_embeds=embedded,
            attention_mask=attention_mask(torch.tensor([packed.segments]), torch.float32),
            position_ids=torch.tensor([packed.positions]),
        ).last_hidden_state
        together = linear(
            states[0][torch.tensor(packed.segments) == 3], inner.language_model.embed_tokens.weight
        )
        expected = model(input_ids=torch.tensor([alone.ids]), pixel_values=image).logits[0, FRAME.prefix :]

    assert features.shape[1] == FRAME.image_tokens
    torch.testing.assert_close(together, expected, atol=1e-4, rtol=1e-4)


def test_a_mirrored_photo_says_of_everyone_where_they_are_seen() -> None:
    for number in range(12):
        photo = sample_photo("scene", np.random.default_rng([54, number]))
        other = mirrored(photo)

        for entry, seen in zip(photo.found, other.found, strict=True):
            box, flipped = view_box(entry.box, photo.view), view_box(seen.box, other.view)
            assert box and flipped
            np.testing.assert_allclose(
                box, (1 - flipped[2], flipped[1], 1 - flipped[0], flipped[3]), atol=1e-9
            )
            assert {entry.where, seen.where} in ({"left", "right"}, {"middle"})
        assert mirrored(other).found[0].box == pytest.approx(photo.found[0].box)
        np.testing.assert_array_equal(
            owners(other).reshape(GRID, GRID)[:, ::-1], owners(photo).reshape(GRID, GRID)
        )


def test_each_word_of_an_answer_points_at_whom_it_speaks_of(photos: list[Photo]) -> None:
    packer, words = Packer(llava.tokenizer(), FRAME), llava.tokenizer()
    for number, photo in enumerate(photos):
        row = packer.row(turns(photo, np.random.default_rng([53, number])), photo.found)
        for turn_number, turn in enumerate(row.said, start=1):
            spoken: dict[str, str] = {}
            for token, about, segment, label in zip(
                row.ids, row.about, row.segments, row.labels, strict=True
            ):
                if segment == turn_number and about != NOBODY:
                    assert token == label
                    key = photo.found[about].key
                    spoken[key] = f"{spoken.get(key, '')} {words.decode([token])}".strip()
            expected: dict[str, str] = {}
            for text, key in turn.parts:
                if key:
                    said_of = " ".join(words.decode([i]) for i in packer.encode(text))
                    expected[key] = f"{expected.get(key, '')} {said_of}".strip()

            assert spoken == expected


def test_the_frontmost_entity_owns_a_patch(photos: list[Photo]) -> None:
    for photo in photos:
        owner = owners(photo).reshape(GRID, GRID)
        for number, entry in enumerate(photo.found):
            box = view_box(entry.box, photo.view)
            rows, columns = np.nonzero(owner == number)
            if box and len(rows):
                assert box[0] * GRID <= columns.min() + 0.5
                assert columns.max() + 0.5 <= box[2] * GRID
            behind = [view_box(e.box, photo.view) for e in photo.found[:number]]
            for other, seen in enumerate(behind):
                if seen and box and seen == box:
                    assert not (owner == other).any()


def test_the_pointing_head_sees_what_its_layer_sees(photos: list[Photo]) -> None:
    torch.manual_seed(0)
    model = llava.build_llava(llava.tokenizer())
    task = llava.parts(model).eval()
    states = torch.randn(1, 96, llava.WIDTH)
    segments, positions = torch.zeros(1, 96, dtype=torch.long), torch.arange(96)[None]
    mask = attention_mask(segments, torch.float32)
    layer = task.language.layers[POINTING_LAYER]

    seen = task._pointing(states, mask, positions)
    _, weights = layer.self_attn(
        layer.input_layernorm(states), task.language.rotary_emb(states, positions), mask
    )

    torch.testing.assert_close(seen.exp(), weights[:, 0, :, FRAME.start : FRAME.prefix], atol=1e-5, rtol=1e-4)


def test_the_optimizer_resumes_where_it_was() -> None:
    torch.manual_seed(0)
    layers = torch.nn.ModuleDict({"layers": torch.nn.ModuleList([torch.nn.Linear(8, 8)])})
    model = torch.nn.ModuleDict({"tower": layers, "head": torch.nn.Linear(8, 2)})
    one = MuonAndAdamW(model, 1e-3, 0.0, "tower.", 0.5)
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    one.step()
    other = MuonAndAdamW(model, 1e-3, 0.0, "tower.", 0.5)

    other.load_state_dict(one.state_dict())

    mine, theirs = one.state_dict()["state"], other.state_dict()["state"]
    assert mine.keys() == theirs.keys()
    assert len(mine) == len(list(model.parameters()))
    for number, moments in mine.items():
        for name, value in moments.items():
            torch.testing.assert_close(theirs[number][name], value)
