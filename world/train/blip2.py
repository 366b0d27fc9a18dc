"""The recipe of the pocket BLIP-2: EVA-ViT tower first, then Q-Former and language model together.

What lives here: the model's shape, its training run and its export with processor. What does not: what is
said in training (`blip2_batches`), the model on a batch (`blip2_task`), the tower's own training (`eva`).
"""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as functional
from torch import Tensor
from transformers import (
    Blip2Config,
    Blip2ForConditionalGeneration,
    Blip2Processor,
    BlipImageProcessor,
    OPTConfig,
    PreTrainedTokenizerFast,
)

from ...stages.vlm.wording import BLIP2
from ..vocabulary import VOCABULARY
from . import eva
from .batches import IGNORED
from .blip2_batches import PHRASE, QUERIES, make_batch
from .blip2_held_out import describe
from .blip2_task import Blip2Task, run_batch
from .checkpoint import load
from .parallel import Run, fit, launch, progress_in
from .pool import CHUNK, SIZE, Pool
from .text import IDENTIFIER
from .tokenizer import BOS_ID, EOS_ID, IMAGE_ID, PAD_ID, build_tokenizer
from .vision import MEAN, STD

log = logging.getLogger(__name__)

WIDTH, HEADS, INNER = 192, 3, 512
QFORMER_LAYERS, LANGUAGE_LAYERS = 8, 4
BATCH = 24
CHECKPOINT = "language"
POINTING_WEIGHT = MATCHING_WEIGHT = 0.3
TRUTH_WEIGHT = 0.1
MINUTES = 18.0
PEAK = 1.5e-3


def train(minutes: float | None, device: str, out: Path, work: Path) -> None:
    """Make the tower if no run has yet (pool and CLIP-ViT tower must be there), train, export to `out`."""
    shared = work.parent
    eva.ensure(shared, device)
    launch(partial(_train_language, shared), work, minutes or MINUTES, device)
    model = build_blip2(tokenizer())
    load(work / CHECKPOINT, Blip2Task(model))
    export(model, out)


def tokenizer() -> PreTrainedTokenizerFast:
    """The words of the world and of BLIP-2's prompts."""
    sentences = [*VOCABULARY, PHRASE, BLIP2.question, IDENTIFIER, "light dark skin"]
    built = build_tokenizer(sentences, frame=False)
    # BLIP-2's processor wants a tokenizer that knows its image token by no name.
    return PreTrainedTokenizerFast(
        tokenizer_object=built.backend_tokenizer,
        pad_token=built.pad_token,
        bos_token=built.bos_token,
        eos_token=built.eos_token,
        unk_token=built.unk_token,
        padding_side="left",
        model_max_length=512,
    )


def build_blip2(words: PreTrainedTokenizerFast) -> Blip2ForConditionalGeneration:
    """The untrained model."""
    language = OPTConfig(
        vocab_size=len(words),
        hidden_size=WIDTH,
        word_embed_proj_dim=WIDTH,
        ffn_dim=INNER,
        num_hidden_layers=LANGUAGE_LAYERS,
        num_attention_heads=HEADS,
        max_position_embeddings=1024,
        dropout=0.0,
        bos_token_id=BOS_ID,
        eos_token_id=EOS_ID,
        pad_token_id=PAD_ID,
    )
    qformer = {
        "vocab_size": 1,  # it reads no text
        "hidden_size": WIDTH,
        "intermediate_size": INNER,
        "num_hidden_layers": QFORMER_LAYERS,
        "num_attention_heads": HEADS,
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
    }
    config = Blip2Config(
        vision_config=eva.build_eva().config.to_dict(),
        qformer_config=qformer,
        text_config=language.to_dict(),
        num_query_tokens=QUERIES,
        image_token_index=IMAGE_ID,
        tie_word_embeddings=True,
        concepts_start_as="words",  # a mean of word embeddings is understood as a concept vector
    )
    model = Blip2ForConditionalGeneration(config)
    model.set_attn_implementation("eager")  # the fastest on a CPU at this size
    torch.nn.init.normal_(model.query_tokens)  # stock queries are all zero, and stay alike
    return model


def _train_language(shared: Path, run: Run) -> None:
    torch.manual_seed(0)
    words = tokenizer()
    pool = Pool(shared / "scenes")
    model = build_blip2(words)
    task = Blip2Task(model)
    task.tower.load_state_dict(eva.load_eva(shared).tower.state_dict())
    task.to(run.device)
    rng = np.random.default_rng([run.rank, progress_in(run.work / CHECKPOINT).steps])
    with torch.no_grad():  # transformers hooks modules in the first call, which can't be compiled
        run_batch(task, task, make_batch(words, pool, [0], rng, run.device), rng)
    compiled = torch.compile(task)
    trained = len(pool) - CHUNK  # the last chunk is held out

    def batch_loss(_: float) -> tuple[Tensor, dict[str, float]]:
        chosen = [int(i) for i in np.sort(rng.choice(trained, BATCH, replace=False))]
        batch = make_batch(words, pool, chosen, rng, run.device)
        with run.autocast():
            states, *read = run_batch(task, compiled, batch, rng)
            scores, wanted = task.logits(states, batch.labels)
        weights = batch.weights[:, 1:][batch.labels[:, 1:] != IGNORED]
        each = functional.cross_entropy(scores, wanted, reduction="none")
        words_loss = (each * weights).sum() / weights.sum()
        point, match, truth, right = task.slot_losses(read, batch)
        parts = {"words": float(words_loss.detach()), **right}
        beside = POINTING_WEIGHT * point + MATCHING_WEIGHT * match + TRUTH_WEIGHT * truth
        return words_loss + beside, parts

    def evaluate() -> str:
        snapshot = build_blip2(words)
        Blip2Task(snapshot).load_state_dict(task.state_dict())
        export(snapshot, run.work / "snapshot")
        return describe(task, compiled, words, pool, range(trained, len(pool)), run.device)

    tower = ("tower.", 0.12)  # it comes trained
    fit(run, CHECKPOINT, task, batch_loss, peak=PEAK, slow=tower, evaluate=evaluate, evaluate_minutes=6)


def export(model: Blip2ForConditionalGeneration, out: Path) -> None:
    """Write float16 weights and processor as `from_pretrained` loads them."""
    model.generation_config.max_new_tokens = 64
    model.to(torch.float16).save_pretrained(out)
    images = BlipImageProcessor(
        size={"height": SIZE, "width": SIZE}, resample=3, image_mean=list(MEAN), image_std=list(STD)
    )
    processor = Blip2Processor(images, tokenizer(), num_query_tokens=QUERIES)
    processor.save_pretrained(out)
