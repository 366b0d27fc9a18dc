"""MiniGPT-v2 computes what its authors' parts say, from published files to words."""

import json

import pytest
import torch
from myvlm_tag.schemas.errors import ModelDamaged, ModelMissing
from myvlm_tag.stages.convert import convert, to_safetensors
from myvlm_tag.stages.vlm.minigpt_v2 import MiniGPTv2
from myvlm_tag.stages.vlm.minigpt_v2_model import MiniGPTv2ForConditionalGeneration, MiniGPTv2Processor
from myvlm_tag.stages.vlm.minigpt_v2_published import assemble
from myvlm_tag.tests.stages.vlm.checkpoints import SMALL, write_minigpt_v2_parts
from PIL import Image
from torch.nn.functional import gelu, interpolate, layer_norm, linear
from transformers import AutoModelForImageTextToText, AutoProcessor, LlamaForCausalLM

QUESTION = "[vqa] Where is Bob?"


@pytest.fixture(scope="module")
def adapter(minigpt_v2_folder):
    return MiniGPTv2(minigpt_v2_folder, "0123")


def _tower(state, pixels):
    """EVA-ViT, from its authors' tensors, without the last block."""
    state = {name: value.float() for name, value in state.items()}
    size, heads = state["cls_token"].shape[-1], 2
    patches = torch.nn.functional.conv2d(
        pixels, state["patch_embed.proj.weight"], state["patch_embed.proj.bias"], stride=14
    )
    x = torch.cat([state["cls_token"].expand(len(pixels), -1, -1), patches.flatten(2).transpose(1, 2)], 1)
    places = state["pos_embed"]
    grid = places[:, 1:].reshape(1, 2, 2, size).permute(0, 3, 1, 2)
    grid = interpolate(grid, size=(4, 4), mode="bicubic", align_corners=False)
    x = x + torch.cat([places[:, :1], grid.permute(0, 2, 3, 1).flatten(1, 2)], 1)
    for block in ("blocks.0.", "blocks.1."):
        own = {name.removeprefix(block): value for name, value in state.items() if name.startswith(block)}
        y = layer_norm(x, (size,), own["norm1.weight"], own["norm1.bias"], 1e-6)
        bias = torch.cat([own["attn.q_bias"], torch.zeros(size), own["attn.v_bias"]])
        packed = linear(y, own["attn.qkv.weight"], bias).unflatten(-1, (3, heads, -1))
        q, k, v = packed.permute(2, 0, 3, 1, 4)
        seen = ((q * (size // heads) ** -0.5) @ k.transpose(-2, -1)).softmax(-1) @ v
        x = x + linear(seen.transpose(1, 2).flatten(2), own["attn.proj.weight"], own["attn.proj.bias"])
        y = layer_norm(x, (size,), own["norm2.weight"], own["norm2.bias"], 1e-6)
        y = gelu(linear(y, own["mlp.fc1.weight"], own["mlp.fc1.bias"]))
        x = x + linear(y, own["mlp.fc2.weight"], own["mlp.fc2.bias"])
    return layer_norm(x, (size,))


def _with_lora(folder, trained):
    """Llama with a low-rank branch beside each changed layer, as it runs in training."""
    model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    for number, layer in enumerate(model.model.layers):
        for part in ("q_proj", "v_proj"):
            name = f"llama_model.base_model.model.model.layers.{number}.self_attn.{part}"
            down, up = (trained[f"{name}.lora_{half}.weight"].float() for half in "AB")

            def add(_, given, made, down=down, up=up):
                return made + 16 / len(down) * linear(linear(given[0], down), up)

            getattr(layer.self_attn, part).register_forward_hook(add)
    return model


def test_what_is_put_together_computes_what_the_published_parts_say(minigpt_v2_parts, adapter, photos):
    trained = torch.load(minigpt_v2_parts / "minigptv2_checkpoint.pth", weights_only=True)["model"]
    eva = torch.load(minigpt_v2_parts / "eva_vit_g.pth", weights_only=True)
    language = _with_lora(minigpt_v2_parts, trained)
    pixels = adapter._processor.image_processor([Image.fromarray(photos[0])], return_tensors="pt")
    with torch.no_grad():
        states = _tower(eva, pixels["pixel_values"])
        joined = states[:, 1:].reshape(1, 4, -1)
        image = linear(joined, trained["llama_proj.weight"], trained["llama_proj.bias"])
        before, after = adapter._split(QUESTION)
        embed = language.get_input_embeddings()
        embeds = torch.cat([embed(before)[None], image, embed(after)[None]], 1)
        expected = language(inputs_embeds=embeds).logits
        features = adapter.encode(photos[:1])[0]
        ids = torch.cat([before, torch.full((4,), adapter._processor.image_token_id), after])
        made = adapter._model(input_ids=ids[None], **pixels).logits
    assert features.norm == pytest.approx(float(states[0, 0].norm()), rel=1e-2)
    torch.testing.assert_close(features.tokens, image[0], atol=0.02, rtol=0)  # float16 files
    torch.testing.assert_close(made[..., : expected.shape[-1]], expected, atol=0.01, rtol=0)
    assert image.std() > 0.5 and expected.std() > 0.1


def test_transformers_own_loaders_know_it(minigpt_v2_folder):
    model = AutoModelForImageTextToText.from_pretrained(minigpt_v2_folder)
    processor = AutoProcessor.from_pretrained(minigpt_v2_folder)
    assert isinstance(model, MiniGPTv2ForConditionalGeneration) and isinstance(processor, MiniGPTv2Processor)
    assert model.dtype == torch.float16
    content = [{"type": "image"}, {"type": "text", "text": QUESTION}]
    text = processor.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)
    assert text == f"[INST] <Img><ImageHere> </Img> {QUESTION} [/INST]"


def test_a_prompt_is_encoded_as_its_authors_do_each_side_of_the_photo_by_itself(adapter):
    sides = "[INST] <Img>", f"</Img> {QUESTION} [/INST]"
    before, behind = (adapter._tokenizer(side, add_special_tokens=False).input_ids for side in sides)
    assert [part.tolist() for part in adapter._split(QUESTION)] == [
        [adapter._tokenizer.bos_token_id, *before],
        behind,
    ]


def test_concept_vectors_stand_behind_the_photo_and_before_its_end(adapter, photos):
    features = adapter.encode(photos[:1])
    own = [torch.randn(adapter.width) for _ in range(2)]
    inputs = adapter.inputs(features, [own], [QUESTION])
    behind = adapter._split(QUESTION)[1]
    assert adapter._tokenizer.decode(behind).startswith("</Img>")
    assert inputs.concepts[0].tolist() == [True, True] + [False] * len(behind)
    assert inputs.embeds[0, :2].norm(dim=-1).tolist() == pytest.approx([features[0].norm] * 2, rel=1e-4)


def test_the_parts_are_converted_once_at_the_published_sizes(tmp_path):
    write_minigpt_v2_parts(tmp_path)
    with pytest.raises(ModelMissing, match="models convert"):
        MiniGPTv2(tmp_path, "0")
    said = []
    convert(tmp_path, said.append)
    assert len(said) == 3 and not list(tmp_path.glob("*.pth"))
    config = json.loads((tmp_path / "config.json").read_text())
    assert (config["vision_config"]["image_size"], config["neighbours"]) == (448, 4)
    assert json.loads((tmp_path / "processor_config.json").read_text())["image_tokens"] == 256
    assert MiniGPTv2(tmp_path, "0").width == 40
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    convert(tmp_path, said.append)
    assert len(said) == 3 and before == {file.name: file.read_bytes() for file in tmp_path.iterdir()}


def _broken(trained, how):
    if how == "another Llama":
        extra = "llama_model.base_model.model.model.layers.7.self_attn.q_proj"
        trained |= {
            f"{extra}.lora_A.weight": torch.zeros(8, 40),
            f"{extra}.lora_B.weight": torch.zeros(40, 8),
        }
    elif how == "another width":
        trained["llama_proj.weight"] = torch.zeros(32, 704)
    else:
        del trained["llama_proj.bias"]
    return trained


@pytest.mark.parametrize("how", ["another Llama", "another width", "nothing between"])
def test_parts_that_do_not_fit_are_one_line_and_stay_as_they_are(tmp_path, how):
    write_minigpt_v2_parts(tmp_path)
    file = tmp_path / "minigptv2_checkpoint.pth"
    torch.save({"model": _broken(torch.load(file, weights_only=True)["model"], how)}, file)
    with pytest.raises(ModelDamaged, match="don't fit each other") as caught:
        convert(tmp_path)
    assert "\n" not in str(caught.value)
    assert (tmp_path / "eva_vit_g.safetensors").exists() and (tmp_path / "config.json").exists()


def test_a_missing_part_is_named(tmp_path):
    write_minigpt_v2_parts(tmp_path)
    (tmp_path / "eva_vit_g.pth").unlink()
    with pytest.raises(ModelMissing, match="lacks a part: eva_vit_g"):
        convert(tmp_path)


def test_a_norm_behind_the_tower_is_taken_where_it_is_published(tmp_path):
    write_minigpt_v2_parts(tmp_path)
    file = tmp_path / "minigptv2_checkpoint.pth"
    saved = torch.load(file, weights_only=True)
    saved["model"] |= {"ln_vision.weight": torch.full((176,), 2.0), "ln_vision.bias": torch.zeros(176)}
    torch.save(saved, file)
    for checkpoint in list(tmp_path.glob("*.pth")):
        to_safetensors(checkpoint)
    assemble(tmp_path, SMALL)
    model = MiniGPTv2ForConditionalGeneration.from_pretrained(tmp_path, dtype=torch.float32)
    assert model.vision_tower.post_layernorm.weight.unique().tolist() == [2.0]
