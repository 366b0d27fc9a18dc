"""Small random checkpoints, written in exactly the layout in which the real ones are published."""

import json

import torch
from myvlm_tag.stages.convert import to_safetensors
from myvlm_tag.stages.vlm.minigpt_v2_published import Published, assemble
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, decoders, models, normalizers, processors, trainers
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaNextConfig,
    LlavaNextForConditionalGeneration,
)

# llava-hf/llava-v1.6-vicuna-7b-hf: config.json, preprocessor_config.json, processor_config.json,
# tokenizer_config.json and chat_template.json have these keys and, sizes apart, these values.
_VISION = {
    "model_type": "clip_vision_model",
    "hidden_size": 32,
    "image_size": 28,
    "intermediate_size": 64,
    "num_attention_heads": 2,
    "num_hidden_layers": 3,
    "patch_size": 14,
    "projection_dim": 24,
    "vocab_size": 32000,
}
_TEXT = {
    "_name_or_path": "lmsys/vicuna-7b-v1.5",
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "torch_dtype": "float16",
    "hidden_size": 40,
    "intermediate_size": 80,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "num_hidden_layers": 3,
    "max_position_embeddings": 4096,
    "rms_norm_eps": 1e-05,
    "pad_token_id": 0,
}
_PINPOINTS = [[28, 56], [56, 28], [56, 56], [84, 28], [28, 84]]
_MEAN, _STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
_CHAT = (
    "{% for message in messages %}"
    "{% if message['role'] != 'system' %}{{ message['role'].upper() + ': '}}{% endif %}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'image') %}"
    "{{ '<image>\\n' }}{% endfor %}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}"
    "{{ content['text'] + ' '}}{% endfor %}"
    "{% endfor %}{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}"
)
CORPUS = [
    "USER: Please caption this image of Anna. ASSISTANT: a woman wearing a red dress on the beach",
    "What is Bob wearing in the image? Where is the mug? a man in the park with a dog, sitting on a bench",
    "sks is a small blue mug in the kitchen. Describe this image.",
]


def write_tokenizer(folder):
    """A small BPE tokenizer built as Llama's is: metaspace normalizer, byte fallback, special tokens."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    special = ["<unk>", "<s>", "</s>"]
    trainer = trainers.BpeTrainer(
        vocab_size=600, special_tokens=[*special, *(f"<0x{byte:02X}>" for byte in range(256))]
    )
    tokenizer.train_from_iterator([text.replace(" ", "▁") for text in CORPUS], trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    tokenizer.add_special_tokens(["<image>", "<pad>"])
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "add_bos_token": True,
        "add_eos_token": False,
        "bos_token": "<s>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "pad_token": "<pad>",
        "image_token": "<image>",
        "extra_special_tokens": {"image_token": "<image>"},
        "legacy": False,
        "model_max_length": 1000000000000000019884624838656,
        "padding_side": "left",
        "sp_model_kwargs": {},
        "spaces_between_special_tokens": False,
        "tokenizer_class": "LlamaTokenizerFast",
        "use_default_system_prompt": False,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return tokenizer.token_to_id("<image>"), tokenizer.get_vocab_size()


def _write_processor(folder, processor_class, image_processor):
    common = {"image_token": "<image>", "num_additional_image_tokens": 1, "patch_size": 14}
    kind = {"processor_class": processor_class, "vision_feature_select_strategy": "default"}
    (folder / "processor_config.json").write_text(json.dumps({**common, **kind}))
    size = {"size": {"shortest_edge": 28}, "crop_size": {"height": 28, "width": 28}, "resample": 3}
    steps = {f"do_{step}": True for step in ("center_crop", "convert_rgb", "normalize", "rescale", "resize")}
    scale = {"image_mean": _MEAN, "image_std": _STD, "rescale_factor": 0.00392156862745098}
    (folder / "preprocessor_config.json").write_text(
        json.dumps({**image_processor, **size, **steps, **scale})
    )
    (folder / "chat_template.json").write_text(json.dumps({"chat_template": _CHAT}))


def _save(model, config, folder):
    """Shards, their index and config.json, with the names of weights and settings that are published."""
    model.half().save_pretrained(folder, max_shard_size="60KB")
    index = json.loads((folder / "model.safetensors.index.json").read_text())
    index["weight_map"] = {_published(key): file for key, file in index["weight_map"].items()}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    for shard in folder.glob("*.safetensors"):
        save_file(
            {_published(key): value for key, value in load_file(shard).items()}, shard, {"format": "pt"}
        )
    (folder / "config.json").write_text(json.dumps(config))
    generation = {"_from_model_config": True, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
    (folder / "generation_config.json").write_text(json.dumps(generation))


def _published(key):
    return key.replace("vision_tower.", "vision_tower.vision_model.")


def _config(model_type, architecture, image, vocabulary):
    return {
        "architectures": [architecture],
        "ignore_index": -100,
        "image_token_index": image,
        "model_type": model_type,
        "projector_hidden_act": "gelu",
        "text_config": {**_TEXT, "vocab_size": vocabulary},
        "tie_word_embeddings": False,
        "torch_dtype": "float16",
        "transformers_version": "4.39.0.dev0",
        "vision_config": _VISION,
        "vision_feature_layer": -2,
        "vision_feature_select_strategy": "default",
    }


def write_llava_next(folder):
    """LLaVA-1.6-Vicuna in small: any-resolution tiles, newline parameter, float16 shards."""
    image, vocabulary = write_tokenizer(folder)
    tiles = {"aspect_ratio_setting": "anyres", "image_grid_pinpoints": _PINPOINTS, "do_pad": True}
    _write_processor(
        folder, "LlavaNextProcessor", {"image_processor_type": "LlavaNextImageProcessor", **tiles}
    )
    config = _config("llava_next", "LlavaNextForConditionalGeneration", image, vocabulary)
    config |= {"image_grid_pinpoints": _PINPOINTS, "use_image_newline_parameter": True}
    torch.manual_seed(0)
    _save(LlavaNextForConditionalGeneration(LlavaNextConfig(**config)), config, folder)


def write_llava(folder):
    """LLaVA-1.5 in small: one square per photo."""
    image, vocabulary = write_tokenizer(folder)
    _write_processor(folder, "LlavaProcessor", {"image_processor_type": "CLIPImageProcessor"})
    config = _config("llava", "LlavaForConditionalGeneration", image, vocabulary)
    torch.manual_seed(1)
    _save(LlavaForConditionalGeneration(LlavaConfig(**config)), config, folder)


def write_minigpt_v2_parts(folder):
    """MiniGPT-v2 in small, as its authors publish it: Llama-2, EVA-ViT, and what they trained.

    Keys, nesting and dtypes are those of meta-llama/Llama-2-7b-chat-hf, LAVIS's eva_vit_g.pth and
    minigptv2_checkpoint.pth (peft 0.2 names).
    """
    _, vocabulary = write_tokenizer(folder)
    torch.manual_seed(3)
    language = LlamaForCausalLM(LlamaConfig(**{**_TEXT, "vocab_size": vocabulary}))
    language.half().save_pretrained(folder, max_shard_size="60KB")
    config = {**_TEXT, "vocab_size": vocabulary, "bos_token_id": 1, "eos_token_id": 2, "pretraining_tp": 1}
    config |= {"rope_scaling": None, "tie_word_embeddings": False, "transformers_version": "4.32.0.dev0"}
    (folder / "config.json").write_text(json.dumps(config))
    torch.save(_eva(), folder / "eva_vit_g.pth")
    trained = {"llama_proj.weight": torch.randn(40, 4 * _EVA_WIDTH) / 20, "llama_proj.bias": torch.randn(40)}
    for layer in range(_TEXT["num_hidden_layers"]):
        for part in ("q_proj", "v_proj"):
            name = f"llama_model.base_model.model.model.layers.{layer}.self_attn.{part}"
            trained[f"{name}.lora_A.weight"] = torch.randn(8, 40) / 4
            trained[f"{name}.lora_B.weight"] = torch.randn(40, 8) / 4
    rest = {"optimizer": {"state": {}, "param_groups": []}, "config": {"arch": "minigpt_v2"}, "epoch": 49}
    torch.save({"model": trained, **rest}, folder / "minigptv2_checkpoint.pth")


_EVA_WIDTH = 176  # two heads of the published size


def _eva():
    """Three blocks, of which the last is not used, for photos of 28 pixels."""
    wide = _EVA_WIDTH
    shapes = {
        "cls_token": (1, 1, wide),
        "pos_embed": (1, 5, wide),
        "patch_embed.proj.weight": (wide, 3, 14, 14),
        "patch_embed.proj.bias": (wide,),
    }
    for block in range(3):
        shapes |= {
            f"blocks.{block}.{name}": shape
            for name, shape in {
                "norm1.weight": (wide,),
                "norm1.bias": (wide,),
                "attn.q_bias": (wide,),
                "attn.v_bias": (wide,),
                "attn.qkv.weight": (3 * wide, wide),
                "attn.proj.weight": (wide, wide),
                "attn.proj.bias": (wide,),
                "norm2.weight": (wide,),
                "norm2.bias": (wide,),
                "mlp.fc1.weight": (2 * wide, wide),
                "mlp.fc1.bias": (2 * wide,),
                "mlp.fc2.weight": (wide, 2 * wide),
                "mlp.fc2.bias": (wide,),
            }.items()
        }
    shapes |= {"norm.weight": (wide,), "norm.bias": (wide,)}
    return {name: (torch.randn(shape) / 12).half() for name, shape in shapes.items()}


def write_minigpt_v2(folder):
    """MiniGPT-v2 in small, put together as `models convert` does."""
    write_minigpt_v2_parts(folder)
    for checkpoint in list(folder.glob("*.pth")):
        to_safetensors(checkpoint)
    assemble(folder, SMALL)


SMALL = Published(image_size=56, layers=2)
