"""Small random BLIP-2 checkpoints, with FLAN-T5 and with OPT, in exactly the layout that is published."""

import json
import math
from collections import Counter

import torch
from myvlm_tag.tests.stages.vlm.checkpoints import CORPUS
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import Blip2Config, Blip2ForConditionalGeneration

# Salesforce/blip2-flan-t5-xl and Salesforce/blip2-opt-2.7b: config.json, preprocessor_config.json,
# processor_config.json and tokenizer_config.json have these keys and, sizes apart, these values.
_VISION = {
    "attention_dropout": 0.0,
    "hidden_act": "gelu",
    "hidden_size": 32,
    "image_size": 28,
    "initializer_range": 0.02,  # published: 1e-10, as its weights were never drawn anew
    "intermediate_size": 64,
    "layer_norm_eps": 1e-06,
    "model_type": "blip_2_vision_model",
    "num_attention_heads": 2,
    "num_hidden_layers": 2,
    "patch_size": 14,
    "qkv_bias": True,
}
_QFORMER = {
    "attention_probs_dropout_prob": 0.1,
    "cross_attention_frequency": 2,
    "encoder_hidden_size": 32,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.1,
    "hidden_size": 24,
    "initializer_range": 0.2,
    "intermediate_size": 48,
    "layer_norm_eps": 1e-12,
    "max_position_embeddings": 512,
    "model_type": "blip_2_qformer",
    "num_attention_heads": 2,
    "num_hidden_layers": 4,
    "use_qformer_text_input": False,
    "vocab_size": 30522,
}
_T5 = {
    "architectures": ["T5ForConditionalGeneration"],
    "bos_token_id": 1,
    "d_ff": 80,
    "d_kv": 10,
    "d_model": 40,
    "decoder_start_token_id": 0,
    "dense_act_fn": "gelu",
    "eos_token_id": 1,
    "feed_forward_proj": "gated-gelu",
    "initializer_factor": 2.0,  # published: 1.0, with which random weights say nothing
    "is_encoder_decoder": True,
    "layer_norm_epsilon": 1e-06,
    "model_type": "t5",
    "num_decoder_layers": 2,
    "num_heads": 4,
    "num_layers": 2,
    "output_past": True,
    "pad_token_id": 0,
    "relative_attention_max_distance": 128,
    "relative_attention_num_buckets": 32,
    "tie_word_embeddings": False,
    "torch_dtype": "float32",
}
_OPT = {
    "_name_or_path": "facebook/opt-2.7b",
    "activation_function": "relu",
    "architectures": ["OPTForCausalLM"],
    "bos_token_id": 2,
    "do_layer_norm_before": True,
    "dropout": 0.1,
    "eos_token_id": None,  # published: a line's end, 50118; put in once the tokenizer is known
    "ffn_dim": 80,
    "hidden_size": 40,
    "init_std": 0.2,
    "max_position_embeddings": 64,
    "model_type": "opt",
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "pad_token_id": 1,
    "prefix": "</s>",
    "torch_dtype": "float16",
    "word_embed_proj_dim": 40,
}
_QUERIES = 6
_IMAGES = {
    "crop_size": {"height": 28, "width": 28},
    "do_convert_rgb": True,
    "do_normalize": True,
    "do_rescale": True,
    "do_resize": True,
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_processor_type": "BlipImageProcessor",
    "image_std": [0.26862954, 0.26130258, 0.27577711],
    "resample": 3,
    "rescale_factor": 0.00392156862745098,
    "size": {"height": 28, "width": 28},
}


def write_blip2_t5(folder):
    """BLIP-2 with FLAN-T5 in small."""
    tokenizer = Tokenizer(models.Unigram(_unigrams(), unk_id=2))
    tokenizer.normalizer = normalizers.Replace("  ", " ")
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.add_special_tokens(["<pad>", "</s>", "<unk>"])
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    tokenizer.add_special_tokens(["<image>"])
    tokenizer.save(str(folder / "tokenizer.json"))
    names = {"eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>", "extra_ids": 0}
    _write_processor(folder, {**names, "tokenizer_class": "T5Tokenizer", "model_max_length": 512})
    _write_model(folder, {**_T5, "vocab_size": tokenizer.get_vocab_size()}, tokenizer, seed=7)


def _unigrams():
    """Pieces with their log-probabilities: words and letters. A trainer's are others in every process."""
    words = Counter(f"▁{word}" for text in CORPUS for word in text.split())
    letters = Counter(letter for word in words for letter in word)
    pieces = dict.fromkeys(sorted(letters), -10.0)
    pieces |= {word: math.log(count / words.total()) for word, count in sorted(words.items())}
    return [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *pieces.items()]


def write_blip2_opt(folder):
    """BLIP-2 with OPT in small; it ends what it says with a line's end."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=500,
        special_tokens=["<s>", "<pad>", "</s>", "<unk>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single="</s> $A", special_tokens=[("</s>", 2)])
    tokenizer.add_special_tokens(["<image>"])
    tokenizer.save(str(folder / "tokenizer.json"))
    names = {"bos_token": "</s>", "eos_token": "</s>", "unk_token": "</s>", "pad_token": "<pad>"}
    kind = {"add_bos_token": True, "add_prefix_space": False, "errors": "replace"}
    kind |= {"tokenizer_class": "GPT2Tokenizer", "model_max_length": 1000000000000000019884624838656}
    _write_processor(folder, {**names, **kind})
    end = tokenizer.encode("\n", add_special_tokens=False).ids[0]
    language = {**_OPT, "eos_token_id": end, "vocab_size": tokenizer.get_vocab_size()}
    _write_model(folder, language, tokenizer, seed=6)


def _write_processor(folder, tokenizer):
    processor = {"num_query_tokens": _QUERIES, "processor_class": "Blip2Processor"}
    (folder / "processor_config.json").write_text(json.dumps(processor))
    (folder / "preprocessor_config.json").write_text(
        json.dumps({**_IMAGES, "processor_class": "Blip2Processor"})
    )
    (folder / "tokenizer_config.json").write_text(json.dumps({**tokenizer, **processor}))


def _write_model(folder, language, tokenizer, seed):
    """Half-precision shards with their index, and config.json."""
    config = {
        "architectures": ["Blip2ForConditionalGeneration"],
        "image_text_hidden_size": 256,
        "image_token_index": tokenizer.token_to_id("<image>"),
        "initializer_factor": 1.0,
        "initializer_range": 0.02,
        "model_type": "blip-2",
        "num_query_tokens": _QUERIES,
        "qformer_config": _QFORMER,
        "text_config": language,
        "torch_dtype": "float16",
        "transformers_version": "4.47.0.dev0",
        "use_decoder_only_language_model": language["model_type"] == "opt",
        "vision_config": _VISION,
    }
    torch.manual_seed(seed)
    model = Blip2ForConditionalGeneration(Blip2Config(**config))
    torch.nn.init.normal_(model.query_tokens)
    if language["model_type"] == "t5":  # else its random logits are so far apart that 16 bits blur them
        model.language_model.lm_head.weight.data /= 8
    model.half().save_pretrained(folder, max_shard_size="60KB")
    (folder / "config.json").write_text(json.dumps(config))
    ids = {name: language[name] for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    (folder / "generation_config.json").write_text(json.dumps({"_from_model_config": True, **ids}))
