"""MiniGPT-v2 as its authors publish it, put together into one folder that transformers loads.

Published are three parts: a Llama-2 folder, the EVA-ViT tower, and what was trained beside them: the layer
between the two, and low-rank changes (LoRA) of Llama's attention. They come as safetensors here; `weights.py`
turns the checkpoints into that. Key names and numbers are those of the authors' repository
(Vision-CAIR/MiniGPT-4: eva_vit.py, minigpt_v2.py) and of `peft`.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import (
    AddedToken,
    AutoTokenizer,
    Blip2VisionConfig,
    BlipImageProcessor,
    GenerationConfig,
    LlamaConfig,
)

from ...schemas.errors import ModelDamaged, ModelMissing
from ...schemas.paths import to_text
from .language import LOCAL
from .minigpt_v2_model import (
    IMAGE_TOKEN,
    MiniGPTv2Config,
    MiniGPTv2ForConditionalGeneration,
    MiniGPTv2Processor,
)

EVA, TRAINED = "eva_vit_g.safetensors", "minigptv2_checkpoint.safetensors"
_SHARD_BYTES = 2 << 30
_LORA = re.compile(r"llama_model\.base_model\.model\.(.+)\.lora_([AB])(?:\.default)?\.weight")
_EVA_NAMES = {
    "patch_embed.proj.weight": "embeddings.patch_embedding.weight",
    "patch_embed.proj.bias": "embeddings.patch_embedding.bias",
    "cls_token": "embeddings.class_embedding",
}
_BLOCK_NAMES = {
    "norm1": "layer_norm1",
    "norm2": "layer_norm2",
    "attn.proj": "self_attn.projection",
    "mlp.fc1": "mlp.fc1",
    "mlp.fc2": "mlp.fc2",
}


@dataclass(frozen=True)
class Published:
    """What no file says, as the authors' code has it."""

    image_size: int = 448  # the tower was made for 224
    layers: int = 39  # of the tower: its last is left out
    head_size: int = 88  # of the tower
    neighbours: int = 4
    lora_alpha: float = 16.0


def in_parts(folder: Path) -> bool:
    """Whether the folder holds the parts, checkpoints converted or not."""
    return any(folder.glob(f"{Path(TRAINED).stem}.*"))


def assemble(folder: Path, sizes: Published | None = None) -> None:
    """Put the parts in `folder` together, there; they are gone then.

    Raises ModelMissing if a part is not there, ModelDamaged if they don't fit each other.
    """
    sizes = sizes or Published()
    for part in ("config.json", "tokenizer_config.json", EVA, TRAINED):
        if not (folder / part).is_file():
            raise ModelMissing(
                f"MiniGPT-v2 in {to_text(folder)} lacks a part: {part}", "myvlm-tag models pull paper"
            )
    old = [path for path in folder.iterdir() if path.is_file()]
    made = folder / ".assembled"
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir()
    try:
        _assemble(folder, made, sizes)
    except (KeyError, RuntimeError, ValueError) as error:
        cause = f"the parts of MiniGPT-v2 in {to_text(folder)} don't fit each other: {error}"
        raise ModelDamaged(cause, "fetch them again with: myvlm-tag models pull paper") from error
    for path in old:
        path.unlink()
    for path in made.iterdir():
        path.rename(folder / path.name)
    made.rmdir()


def _assemble(folder: Path, made: Path, sizes: Published) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder, **LOCAL)
    tokenizer.add_tokens([AddedToken(IMAGE_TOKEN, normalized=False, special=True)], special_tokens=True)
    tokenizer.chat_template = None  # the processor has its own
    eva, trained = load_file(folder / EVA), load_file(folder / TRAINED)
    config = _config(folder, eva, len(tokenizer), tokenizer.convert_tokens_to_ids(IMAGE_TOKEN), sizes)
    with torch.device("meta"):
        wanted = MiniGPTv2ForConditionalGeneration(config).state_dict()
    _save_shards(_checked(_tensors(folder, eva, trained, config, sizes), wanted), made)
    config.save_pretrained(made)
    _generation(config).save_pretrained(made)
    size = {"height": sizes.image_size, "width": sizes.image_size}
    MiniGPTv2Processor(
        BlipImageProcessor(size=size), tokenizer, image_tokens=config.image_tokens
    ).save_pretrained(made)


def _config(
    folder: Path, eva: Mapping[str, Tensor], words: int, image_token: int, sizes: Published
) -> MiniGPTv2Config:
    kernel = eva["patch_embed.proj.weight"]
    blocks = 1 + max(int(name.split(".")[1]) for name in eva if name.startswith("blocks."))
    vision = Blip2VisionConfig(
        hidden_size=len(kernel),
        intermediate_size=len(eva["blocks.0.mlp.fc1.weight"]),
        num_hidden_layers=min(blocks, sizes.layers),
        num_attention_heads=len(kernel) // sizes.head_size,
        image_size=sizes.image_size,
        patch_size=kernel.shape[-1],
    )
    text = LlamaConfig.from_pretrained(folder, **LOCAL)
    text.vocab_size = max(words, text.vocab_size)
    config = MiniGPTv2Config(vision, text, sizes.neighbours, image_token)
    config.dtype = text.dtype
    return config


def _generation(config: MiniGPTv2Config) -> GenerationConfig:
    """Who ends and pads as Llama does; the words it likes to draw at random are not taken over."""
    text = config.text_config
    return GenerationConfig(
        bos_token_id=text.bos_token_id, eos_token_id=text.eos_token_id, pad_token_id=text.pad_token_id
    )


def _tensors(
    folder: Path,
    eva: Mapping[str, Tensor],
    trained: Mapping[str, Tensor],
    config: MiniGPTv2Config,
    sizes: Published,
) -> Iterator[tuple[str, Tensor]]:
    """All tensors under the names of our model, one after the other."""
    dtype = config.dtype or torch.float16
    for name, tensor in from_eva(eva, config.vision_config).items():
        yield f"vision_tower.{name}", tensor.to(dtype)
    # The norm behind the tower is published only where it was trained.
    width = config.vision_config.hidden_size
    norm = {"weight": torch.ones(width), "bias": torch.zeros(width)}
    for kind, plain in norm.items():
        yield f"vision_tower.post_layernorm.{kind}", trained.get(f"ln_vision.{kind}", plain).to(dtype)
        yield f"projector.{kind}", trained[f"llama_proj.{kind}"].to(dtype)
    changes = _changes(trained, sizes.lora_alpha)
    for name, tensor in _llama(folder):
        if name in ("model.embed_tokens.weight", "lm_head.weight"):
            tensor = _with_more_rows(tensor, config.text_config.vocab_size, name.startswith("model."))
        change = changes.pop(name.removesuffix(".weight"), None)
        yield f"language_model.{name}", tensor if change is None else (tensor.float() + change).to(tensor)
    if changes:
        raise KeyError(f"nothing to change at {min(changes)}")


def from_eva(eva: Mapping[str, Tensor], config: Blip2VisionConfig) -> dict[str, Tensor]:
    """The tower's weights as `Blip2VisionModel` names them; positions interpolated to the photo's size."""
    state = {ours: eva[theirs] for theirs, ours in _EVA_NAMES.items()}
    state["embeddings.position_embedding"] = _interpolated(
        eva["pos_embed"], config.image_size // config.patch_size
    )
    for layer in range(config.num_hidden_layers):
        theirs, ours = f"blocks.{layer}", f"encoder.layers.{layer}"
        for a, b in _BLOCK_NAMES.items():
            state |= {f"{ours}.{b}.{kind}": eva[f"{theirs}.{a}.{kind}"] for kind in ("weight", "bias")}
        state[f"{ours}.self_attn.qkv.weight"] = eva[f"{theirs}.attn.qkv.weight"]
        query, value = eva[f"{theirs}.attn.q_bias"], eva[f"{theirs}.attn.v_bias"]
        state[f"{ours}.self_attn.qkv.bias"] = torch.cat([query, torch.zeros_like(query), value])
    return state


def _interpolated(places: Tensor, side: int) -> Tensor:
    """Positions (1, 1 + n * n, width) for a grid of another size; the first is [CLS]'s and stays."""
    own, grid = places[:, :1], places[:, 1:]
    was = round(grid.shape[1] ** 0.5)
    if was == side:
        return places
    square = grid.float().reshape(1, was, was, -1).permute(0, 3, 1, 2)
    larger = torch.nn.functional.interpolate(square, (side, side), mode="bicubic", align_corners=False)
    return torch.cat([own, larger.flatten(2).transpose(1, 2).to(own)], dim=1)


def _changes(trained: Mapping[str, Tensor], alpha: float) -> dict[str, Tensor]:
    """What LoRA adds to which weights: alpha / r * B A."""
    halves: dict[str, dict[str, Tensor]] = {}
    for name, tensor in trained.items():
        if found := _LORA.fullmatch(name):
            halves.setdefault(found[1], {})[found[2]] = tensor.float()
    return {name: alpha / len(half["A"]) * half["B"] @ half["A"] for name, half in halves.items()}


def _llama(folder: Path) -> Iterator[tuple[str, Tensor]]:
    for shard in sorted(folder.glob("*.safetensors")):
        if shard.name in (EVA, TRAINED):
            continue
        with safe_open(str(shard), "pt") as tensors:
            for name in tensors.keys():  # noqa: SIM118
                if not name.endswith("rotary_emb.inv_freq"):
                    yield name, tensors.get_tensor(name)


def _with_more_rows(table: Tensor, rows: int, mean: bool) -> Tensor:
    """Room for the photo's token, which is never read and must never be said."""
    more = (table.float().mean(0) if mean else torch.zeros(table.shape[1])).to(table)
    return torch.cat([table, more.expand(rows - len(table), -1)]).contiguous()


def _checked(
    tensors: Iterator[tuple[str, Tensor]], wanted: Mapping[str, Tensor]
) -> Iterator[tuple[str, Tensor]]:
    missing = set(wanted)
    for name, tensor in tensors:
        if name not in wanted or tensor.shape != wanted[name].shape:
            there = tuple(wanted[name].shape) if name in wanted else "none"
            raise ValueError(f"{name} is {tuple(tensor.shape)}, where the model has {there}")
        missing.discard(name)
        yield name, tensor
    if missing:
        raise ValueError(f"{min(missing)} is nowhere")


def _save_shards(tensors: Iterator[tuple[str, Tensor]], folder: Path) -> None:
    """As transformers saves large models: numbered files, and an index of what is where."""
    shards: list[Path] = []
    places: dict[str, Path] = {}
    held: dict[str, Tensor] = {}
    total = size = 0

    def write() -> None:
        shards.append(folder / f"part-{len(shards) + 1:05}.safetensors")
        save_file(held, shards[-1], {"format": "pt"})
        places.update(dict.fromkeys(held, shards[-1]))
        held.clear()

    for name, tensor in tensors:
        if held and size + tensor.nbytes > _SHARD_BYTES:
            write()
            size = 0
        held[name] = tensor.contiguous()
        size += tensor.nbytes
        total += tensor.nbytes
    write()
    names = {
        shard: f"model-{number:05}-of-{len(shards):05}.safetensors" for number, shard in enumerate(shards, 1)
    }
    for shard, name in names.items():
        shard.rename(folder / name)
    index = {
        "metadata": {"total_size": total},
        "weight_map": {name: names[shard] for name, shard in places.items()},
    }
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=1), "utf-8")
