"""What the pocket MiniGPT-v2 learns from: its own words and tags, joined patches, and what LLaVA learnt."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from myvlm_tag.stages.vlm.minigpt_v2 import MiniGPTv2
from myvlm_tag.stages.vlm.wording import MINIGPT_V2
from myvlm_tag.world.train import llava, minigpt_v2
from myvlm_tag.world.train.batches import NOBODY, Packer, attention_mask
from myvlm_tag.world.train.minigpt_v2 import FRAME, NEIGHBOURS
from myvlm_tag.world.train.pool import Photo, draw, sample_photo
from myvlm_tag.world.train.text import Turn, turns
from myvlm_tag.world.train.vision import to_pixels

WORDS = minigpt_v2.tokenizer()


@pytest.fixture(scope="module")
def photos() -> list[Photo]:
    kinds = ["scene"] * 10 + ["crop"] * 4 + ["instance"] * 4
    return [sample_photo(kind, np.random.default_rng([61, n])) for n, kind in enumerate(kinds)]


@pytest.fixture(scope="module")
def said(photos: list[Photo]) -> list[Turn]:
    return [
        turn for n, photo in enumerate(photos) for turn in turns(photo, np.random.default_rng(n), MINIGPT_V2)
    ]


@pytest.fixture(scope="module")
def model() -> minigpt_v2.MiniGPTv2ForConditionalGeneration:
    torch.manual_seed(0)
    made = minigpt_v2.build_minigpt_v2(WORDS).eval()
    minigpt_v2.take_language(made, WORDS)
    return made


def test_the_tokenizer_gives_every_sentence_back_and_knows_every_word(said: list[Turn]) -> None:
    packer = Packer(WORDS, FRAME)
    for turn in said:
        for sentence in (turn.question, turn.answer, *(i.sentence for i in turn.introductions)):
            ids = WORDS(sentence, add_special_tokens=False)["input_ids"]

            assert ids == packer.encode(sentence)
            assert WORDS.unk_token_id not in ids
            assert WORDS.decode(ids) == sentence.lower()


def test_each_task_has_its_tag_and_boxes_their_form(said: list[Turn]) -> None:
    tags = {"caption": "[caption] ", "box": "[refer] ", "identify": "[identify] "}
    for turn in said:
        assert turn.question.startswith(tags.get(turn.topic, "[vqa] "))
        if turn.topic == "box":
            assert MINIGPT_V2.boxes is not None
            assert MINIGPT_V2.boxes.read(turn.answer) is not None
            assert len(WORDS(turn.answer, add_special_tokens=False)["input_ids"]) == 6
    assert {turn.topic for turn in said} >= {*tags, "wearing"}


def test_a_packed_turn_gives_what_it_gives_alone(
    photos: list[Photo], said: list[Turn], model: minigpt_v2.MiniGPTv2ForConditionalGeneration
) -> None:
    packer = Packer(WORDS, FRAME)
    plain = [dataclasses.replace(turn, as_vectors=False) for turn in said[:6]]
    packed, alone = packer.row(plain), packer.row([plain[2]])
    image = to_pixels(draw(photos[0], np.random.default_rng(0))[None])
    with torch.no_grad():
        embedded = model.get_input_embeddings()(torch.tensor([packed.ids]))
        features = model.get_image_features(image).pooler_output
        embedded[:, FRAME.start : FRAME.prefix] = features
        together = model(
            inputs_embeds=embedded,
            attention_mask=attention_mask(torch.tensor([packed.segments]), torch.float32),
            position_ids=torch.tensor([packed.positions]),
        ).logits[0, torch.tensor(packed.segments) == 3]
        expected = model(input_ids=torch.tensor([alone.ids]), pixel_values=image).logits[0, FRAME.prefix :]

    assert features.shape[1] == FRAME.image_tokens == 81 // NEIGHBOURS
    torch.testing.assert_close(together, expected, atol=1e-4, rtol=1e-4)


def test_training_reads_a_row_as_the_model_does(
    photos: list[Photo], said: list[Turn], model: minigpt_v2.MiniGPTv2ForConditionalGeneration
) -> None:
    task = minigpt_v2.parts(model).eval()
    row = Packer(WORDS, FRAME).row([dataclasses.replace(said[0], as_vectors=False)])
    image = to_pixels(draw(photos[0], np.random.default_rng(0))[None])
    ids, segments, positions = (torch.tensor([part]) for part in (row.ids, row.segments, row.positions))
    nowhere, none = torch.full((1,), ids.numel()), torch.zeros(1, 14, dtype=torch.long)
    with torch.no_grad():
        inputs = (image, ids, segments, positions, nowhere, none)
        states, seen, *_ = task(inputs, torch.zeros(1), torch.zeros(1, 192))
        scores = torch.nn.functional.linear(states, model.get_input_embeddings().weight)
        expected = model(input_ids=ids, pixel_values=image).logits

    torch.testing.assert_close(scores, expected, atol=1e-4, rtol=1e-4)
    assert seen.shape[-1] == FRAME.image_tokens


def test_the_pointing_head_is_right_where_any_of_the_joined_patches_shows_whom_it_is_about(
    model: minigpt_v2.MiniGPTv2ForConditionalGeneration,
) -> None:
    task = minigpt_v2.parts(model)
    owners = torch.full((1, 81), -1)
    owners[0, 4] = 0  # the middle of the first row: the second of its three tokens
    about = torch.tensor([[NOBODY, 0]])
    seen = torch.full((1, 2, 27), -9.0)
    seen[0, 0, 1] = -0.1
    batch = type("Batch", (), {"about": about, "owners": owners})

    loss, pointed = task.pointing_loss(seen, batch)

    assert float(loss) == pytest.approx(0.1)
    assert pointed == pytest.approx(np.exp(-0.1))


def test_it_begins_with_the_words_that_llava_learnt(
    model: minigpt_v2.MiniGPTv2ForConditionalGeneration,
) -> None:
    theirs = llava.LlavaForConditionalGeneration.from_pretrained(minigpt_v2._LLAVA, dtype=torch.float32)
    table, own = theirs.get_input_embeddings().weight, model.get_input_embeddings().weight
    before, now = llava.tokenizer().get_vocab(), WORDS.get_vocab()
    for word, same in {"anna": "anna", "<10>": "0.10", "{": "[", "[/inst]": "assistant:"}.items():
        torch.testing.assert_close(own[now[word]], table[before[same]])
    last = theirs.model.language_model.layers[-1].mlp.down_proj.weight
    torch.testing.assert_close(model.language_model.model.layers[-1].mlp.down_proj.weight, last)


def test_what_is_exported_speaks_through_the_adapter(
    tmp_path: Path, photos: list[Photo], model: minigpt_v2.MiniGPTv2ForConditionalGeneration
) -> None:
    copy = minigpt_v2.build_minigpt_v2(WORDS)
    copy.load_state_dict(model.state_dict())
    minigpt_v2.export(copy, tmp_path)
    adapter = MiniGPTv2(tmp_path, "0")
    image = draw(photos[0], np.random.default_rng(0))

    features = adapter.encode([image])[0]

    with torch.no_grad():
        tokens = model.get_image_features(to_pixels(image[None])).pooler_output[0]
    torch.testing.assert_close(features.tokens, tokens, atol=0.02, rtol=0.02)
    assert adapter.cost("anna") == 1 and adapter.cost("zebra") is None
    assert adapter.generate([features], [[]], [MINIGPT_V2.to_caption()], 4)
