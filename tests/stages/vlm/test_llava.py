"""What is LLaVA's own: where vectors stand, and that only what stands behind the photo is run."""

import json

import numpy as np
import pytest
import torch
from myvlm_tag.stages.vlm.batches import Room
from myvlm_tag.stages.vlm.llava import Llava

PROMPTS = ["Describe this image.", "What is Bob wearing in the image?", "Where is the mug?"]


@pytest.fixture(scope="module", params=["llava_folder", "llava_next_folder"])
def folder(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def adapter(folder):
    return Llava(folder, "0123")


def _vectors(adapter, count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(adapter.width, generator=generator) for _ in range(count)]


def test_a_concept_vector_stands_right_behind_the_image_with_the_norm_of_cls(adapter, photos):
    features = adapter.encode(photos[:2])
    own = _vectors(adapter, 2)
    inputs = adapter.inputs(features, [own, []], [PROMPTS[0], PROMPTS[0]])
    assert inputs.concepts[0].tolist() == [True, True] + [False] * (inputs.concepts.shape[1] - 2)
    assert not inputs.concepts[1].any()
    assert inputs.embeds[0, :2].norm(dim=-1).tolist() == pytest.approx([features[0].norm] * 2, rel=1e-4)
    cosine = torch.cosine_similarity(inputs.embeds[0, :2], torch.stack(own), dim=-1)
    assert cosine.tolist() == pytest.approx([1, 1], abs=1e-4)


def _whole_sequence(adapter, features, vectors, prompt, target):
    """The objective from one pass of the stock model over one unbroken sequence."""
    model = adapter._model
    before, after = adapter._split(prompt)
    target = adapter._target(target)
    embed = model.get_input_embeddings()
    own = torch.stack([vector / vector.norm() * features.norm for vector in vectors])
    embeds = torch.cat([embed(before), features.tokens, own, embed(after), embed(target)])[None]
    model.set_attn_implementation("eager")
    made = model(inputs_embeds=embeds, output_attentions=True)
    words = torch.nn.functional.cross_entropy(made.logits[0, -len(target) - 1 : -1], target)
    first = len(before) + len(features.tokens)
    last = first + len(vectors)
    squares = [layer[0, :, last:, first:last].square().mean() for layer in made.attentions]
    return float(words), float(torch.stack(squares).mean())


def test_the_loss_is_that_of_the_whole_sequence_though_only_its_end_is_run(adapter, photos):
    features = adapter.encode(photos)
    vectors = [_vectors(adapter, count, seed) for seed, count in enumerate((1, 2, 1, 3))]
    prompts = [*PROMPTS, PROMPTS[1]]
    targets = ["Anna on the beach", "a red dress", "on the bench with a dog in the park", "Bob"]
    made = adapter.loss(adapter.inputs(features, vectors, prompts, targets))
    rows = [_whole_sequence(adapter, *row) for row in zip(features, vectors, prompts, targets, strict=True)]
    assert float(made.words) == pytest.approx(sum(words for words, _ in rows) / 4, rel=1e-4)
    one = adapter.loss(adapter.inputs(features[1:2], vectors[1:2], prompts[1:2], targets[1:2]))
    assert float(one.attention) == pytest.approx(rows[1][1], rel=1e-4)


def test_a_photo_is_read_once_however_many_prompts_ask_about_it(adapter, photos):
    features = adapter.encode(photos[:1])
    adapter.generate(features * 3, [[]] * 3, PROMPTS, 2)
    first = features[0].memory
    adapter.generate(features * 3, [[]] * 3, PROMPTS, 2)
    assert first is not None and features[0].memory is first


def test_the_published_layout_has_the_published_keys(llava_next_folder):
    index = json.loads((llava_next_folder / "model.safetensors.index.json").read_text())
    keys = set(index["weight_map"])
    assert len(set(index["weight_map"].values())) > 3
    assert {"image_newline", "language_model.lm_head.weight", "multi_modal_projector.linear_1.bias"} <= keys
    assert "language_model.model.layers.0.self_attn.q_proj.weight" in keys
    assert "vision_tower.vision_model.embeddings.class_embedding" in keys


@pytest.mark.parametrize("size", [(64, 48), (40, 90)])
def test_a_vector_s_attention_covers_the_part_of_the_photo_that_the_model_sees(adapter, size):
    width, height = size
    photo = adapter.encode([np.zeros((height, width, 3), np.uint8)])[0]
    weights = adapter.attended(photo, torch.ones(adapter.width))
    assert weights.shape == (2, 2) and (weights > 0).all() and weights.sum() < 1
    x0, y0, x1, y1 = adapter.window(width, height)
    square = ((x1 - x0) * width, (y1 - y0) * height)
    assert square in ((min(size), min(size)), (width, height))  # 1.5 cuts, 1.6 squeezes


def test_answers_are_made_in_batches_that_have_room_and_say_the_same(adapter, photos, monkeypatch):
    features = adapter.encode(photos) * 2
    vectors = [_vectors(adapter, 1, seed) for seed in range(len(features))]
    prompts = [PROMPTS[row % 3] for row in range(len(features))]
    together = adapter.generate(features, vectors, prompts, 8)
    room = Room(answers=2 * max(len(photo.tokens) for photo in features))
    put, batches = adapter.inputs, []

    def counted(own, *rest):
        batches.append(len(own) * max(len(photo.tokens) for photo in own))
        return put(own, *rest)

    monkeypatch.setattr(adapter, "inputs", counted)
    monkeypatch.setattr(adapter, "room", room)
    assert adapter.generate(features, vectors, prompts, 8) == together
    assert len(batches) > 1 and max(batches) <= room.answers
