"""The recipe of the pocket LLaVA: vision tower first, then the language side, with contexts right after the
image.

What lives here: the model's shape, its training run and its export with processor and chat template. What
does not: what is said in training (`text`), how it is packed (`batches`), the vision tower's own training
(`vision`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as functional
from torch import Tensor
from transformers import (
    CLIPImageProcessor,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)

from ...stages.vlm.wording import LLAVA
from ..vocabulary import VOCABULARY
from .batches import IGNORED, Frame, Packer, make_batch
from .checkpoint import load
from .context import ContextModel, run_batch
from .held_out import describe
from .parallel import Run, finished, fit, launch, progress_in
from .pool import CHUNK, PHOTOS, SIZE, Pool, fill
from .text import TEMPLATES
from .tokenizer import BOS_ID, EOS_ID, IMAGE_ID, PAD_ID, build_tokenizer
from .vision import CHECKPOINT as VISION
from .vision import GRID, MEAN, PATCH, STD, VISION_MINUTES, Targets, build_tower, load_truth, train_in

WIDTH, LAYERS, HEADS = 192, 6, 3
BATCH = 32
CHECKPOINT = "language"
POINTING_WEIGHT = 0.3
TRUTH_WEIGHT = 0.2  # the tower goes on learning from the truth itself
MINUTES = 60.0
FRAME = Frame(("user:",), (), "assistant:", GRID * GRID, 288, LLAVA)
CHAT_TEMPLATE = (
    "{% for message in messages %}{{ message['role'].upper() }}: "
    "{% for part in message['content'] if part['type'] == 'image' %}<image>\n{% endfor %}"
    "{% for part in message['content'] if part['type'] == 'text' %}{{ part['text'] }} {% endfor %}"
    "{% if message['role'] == 'assistant' %}</s>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}ASSISTANT:{% endif %}"
)


def train(minutes: float | None, device: str, out: Path, work: Path) -> None:
    """Render the pool and train the tower if no run has yet, train the language side, export to `out`."""
    shared = work.parent
    fill(shared / "scenes", PHOTOS)
    if not finished(shared / VISION):
        launch(partial(train_in, shared / "scenes"), shared, VISION_MINUTES, device)
    launch(partial(_train_language, shared), work, minutes or MINUTES, device)
    model = build_llava(tokenizer())
    load(work / CHECKPOINT, parts(model))
    export(model, out)


def tokenizer() -> PreTrainedTokenizerFast:
    """The words of the world, of the instructions and of boxes."""
    return build_tokenizer([*VOCABULARY, *TEMPLATES], frame=False)


def build_llava(words: PreTrainedTokenizerFast) -> LlavaForConditionalGeneration:
    """The untrained model."""
    config = LlavaConfig(
        vision_config=build_tower().config,
        text_config=language_config(len(words)),
        image_token_index=IMAGE_ID,
        vision_feature_layer=-1,
        vision_feature_select_strategy="default",
        image_seq_length=FRAME.image_tokens,
        tie_word_embeddings=True,
    )
    model = LlavaForConditionalGeneration(config)
    model.set_attn_implementation("eager")  # the fastest on a CPU at this size
    return model


def language_config(words: int) -> LlamaConfig:
    """The language model's shape, for so many words."""
    return LlamaConfig(
        vocab_size=words,
        hidden_size=WIDTH,
        intermediate_size=512,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=HEADS,
        max_position_embeddings=1024,
        bos_token_id=BOS_ID,
        eos_token_id=EOS_ID,
        pad_token_id=PAD_ID,
        tie_word_embeddings=True,
    )


def parts(model: LlavaForConditionalGeneration) -> ContextModel:
    """The model as training runs it."""
    inner = model.model
    return ContextModel(inner.vision_tower, inner.multi_modal_projector, inner.language_model, FRAME)


def _train_language(shared: Path, run: Run) -> None:
    torch.manual_seed(0)
    words = tokenizer()
    task = parts(build_llava(words))
    truth = load_truth(shared)
    task.start_from(truth.tower, truth)

    def snapshot() -> None:
        model = build_llava(words)
        parts(model).load_state_dict(task.state_dict())
        export(model, run.work / "snapshot")

    fit_language(run, task, Packer(words, FRAME), Pool(shared / "scenes"), snapshot, peak=1.2e-3)


def fit_language(
    run: Run, task: ContextModel, packer: Packer, pool: Pool, snapshot: Callable[[], None], peak: float
) -> None:
    """Train a model on turns about the pool's photos; its tower, which comes trained, learns slowly.

    `snapshot` exports the model as it is, for a look at it between.
    """
    task.to(run.device)
    compiled = torch.compile(task)
    rng = np.random.default_rng([run.rank, progress_in(run.work / CHECKPOINT).steps])
    trained = len(pool) - CHUNK  # the last chunk is held out

    def batch_loss(_: float) -> tuple[Tensor, dict[str, float]]:
        chosen = [int(i) for i in np.sort(rng.choice(trained, BATCH, replace=False))]
        batch = make_batch(packer, pool, chosen, rng, run.device)
        with run.autocast():
            states, seen, *read = run_batch(task, compiled, batch, rng)
            scores, wanted = task.logits(states, batch.labels)
        pointing_loss, pointed = task.pointing_loss(seen, batch)
        weights = batch.weights[:, 1:][batch.labels[:, 1:] != IGNORED]
        words_loss = (
            functional.cross_entropy(scores, wanted, reduction="none") * weights
        ).sum() / weights.sum()
        targets = Targets(batch.photos, rng, run.device)
        truth_loss, right = task.truth.loss((read[0], read[1]), targets)
        told = {"words": float(words_loss.detach()), "truth": float(truth_loss.detach())}
        told |= {"pointed": pointed}
        told |= {
            field: right[field]
            for field in ("color", "garment", "activity", "glasses", "box_error", "matched")
        }
        return words_loss + POINTING_WEIGHT * pointing_loss + TRUTH_WEIGHT * truth_loss, told

    def evaluate() -> str:
        snapshot()
        return describe(task, compiled, packer, pool, range(trained, len(pool)), run.device)

    tower = ("tower.", 0.12)
    fit(run, CHECKPOINT, task, batch_loss, peak=peak, slow=tower, evaluate=evaluate, evaluate_minutes=8)


def export(model: LlavaForConditionalGeneration, out: Path) -> None:
    """Write float16 weights, processor and chat template as `from_pretrained` loads them."""
    words = tokenizer()
    model.generation_config.max_new_tokens = 64
    model.to(torch.float16).save_pretrained(out)
    images = CLIPImageProcessor(
        size={"height": SIZE, "width": SIZE},
        resample=3,
        do_center_crop=False,
        image_mean=list(MEAN),
        image_std=list(STD),
    )
    LlavaProcessor(
        image_processor=images,
        tokenizer=words,
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=CHAT_TEMPLATE,
    ).save_pretrained(out)
