"""The recipe of the pocket MiniGPT-v2: the EVA-ViT tower, and a Llama that begins with what LLaVA's learnt.

What lives here: the model's shape and words, where its weights begin, its training run and its export. What
does not: the run's losses and batches, which are LLaVA's (`llava`, `batches`), and the tower's own training
(`eva`).
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import torch
from transformers import BlipImageProcessor, LlavaForConditionalGeneration, PreTrainedTokenizerFast

from ...stages.vlm.minigpt_v2_model import (
    IMAGE_TOKEN,
    MiniGPTv2Config,
    MiniGPTv2ForConditionalGeneration,
    MiniGPTv2Processor,
)
from ...stages.vlm.wording import MINIGPT_V2
from ..vocabulary import VOCABULARY
from .batches import Frame, Packer
from .checkpoint import load
from .context import ContextModel
from .eva import build_eva, ensure, load_eva
from .llava import CHECKPOINT, fit_language, language_config
from .parallel import Run, finished, launch
from .pool import PHOTOS, SIZE, Pool, fill
from .text import TEMPLATES
from .tokenizer import COORDINATES, IMAGE, IMAGE_ID, PAD_ID, build_tokenizer
from .vision import CHECKPOINT as VISION
from .vision import GRID, MEAN, STD, VISION_MINUTES, train_in

NEIGHBOURS = 3  # nine patches a row don't divide by the four that are published
MINUTES = 20.0
PEAK = 1e-3
FRAME = Frame(("[inst]", "<img>"), ("</img>",), "[/inst]", GRID * GRID // NEIGHBOURS, 256, MINIGPT_V2)
_FRAMING = ("[inst]", "[/inst]", "<img>", "</img>", "[caption]", "[vqa]", "[refer]", "[identify]")
_CORNERS = tuple(f"<{value}>" for value in range(101))
_LLAVA = Path(__file__).parents[1] / "weights" / "llava"
#: Words that mean what another word means to LLaVA.
_ALIKE = {
    "[inst]": "user:",
    "[/inst]": "assistant:",
    IMAGE_TOKEN: IMAGE,
    "{": "[",
    "}": "]",
    **dict(zip(_CORNERS, COORDINATES, strict=True)),
}


def train(minutes: float | None, device: str, out: Path, work: Path) -> None:
    """Make what is missing of pool and towers, train the language side, export to `out`."""
    shared = work.parent
    fill(shared / "scenes", PHOTOS)
    if not finished(shared / VISION):
        launch(partial(train_in, shared / "scenes"), shared, VISION_MINUTES, device)
    ensure(shared, device)
    launch(partial(_train_language, shared), work, minutes or MINUTES, device)
    model = build_minigpt_v2(tokenizer())
    load(work / CHECKPOINT, parts(model))
    export(model, out)


def tokenizer() -> PreTrainedTokenizerFast:
    """The words of the world, of the instructions with their tags, and of boxes."""
    sentences = (*VOCABULARY, *TEMPLATES, MINIGPT_V2.to_point(""), MINIGPT_V2.to_identify(""))
    marks = (*_FRAMING, *_CORNERS, "{", "}")
    return build_tokenizer(sentences, frame=False, image=IMAGE_TOKEN, marks=marks, closing=("<", "}"))


def build_minigpt_v2(words: PreTrainedTokenizerFast) -> MiniGPTv2ForConditionalGeneration:
    """The untrained model."""
    config = MiniGPTv2Config(
        vision_config=build_eva().config,
        text_config=language_config(len(words)),
        neighbours=NEIGHBOURS,
        image_token_id=IMAGE_ID,
    )
    model = MiniGPTv2ForConditionalGeneration(config)
    model.set_attn_implementation("eager")  # the fastest on a CPU at this size
    return model


def parts(model: MiniGPTv2ForConditionalGeneration) -> ContextModel:
    """The model as training runs it."""
    return ContextModel(model.vision_tower, model.projector, model.language_model.model, FRAME)


@torch.no_grad()
def take_language(model: MiniGPTv2ForConditionalGeneration, words: PreTrainedTokenizerFast) -> None:
    """Begin with the pocket LLaVA's language model: its layers, and the words that both have."""
    llava = LlavaForConditionalGeneration.from_pretrained(_LLAVA, dtype=torch.float32)
    known = PreTrainedTokenizerFast.from_pretrained(_LLAVA).get_vocab()
    theirs, ours = llava.model.language_model, model.language_model.model
    ours.layers.load_state_dict(theirs.layers.state_dict())
    ours.norm.load_state_dict(theirs.norm.state_dict())
    for word, number in words.get_vocab().items():
        same = known.get(_ALIKE.get(word, word))
        if same is not None:
            ours.embed_tokens.weight[number] = theirs.embed_tokens.weight[same]


def _train_language(shared: Path, run: Run) -> None:
    torch.manual_seed(0)
    words = tokenizer()
    model = build_minigpt_v2(words)
    take_language(model, words)
    task, truth = parts(model), load_eva(shared)
    task.start_from(truth.tower, truth)

    def snapshot() -> None:
        copy = build_minigpt_v2(words)
        parts(copy).load_state_dict(task.state_dict())
        export(copy, run.work / "snapshot")

    fit_language(run, task, Packer(words, FRAME), Pool(shared / "scenes"), snapshot, PEAK)


def export(model: MiniGPTv2ForConditionalGeneration, out: Path) -> None:
    """Write float16 weights, processor and chat template as `from_pretrained` loads them."""
    model.generation_config.max_new_tokens = 64
    model.generation_config.pad_token_id = PAD_ID
    model.to(torch.float16).save_pretrained(out)
    images = BlipImageProcessor(
        size={"height": SIZE, "width": SIZE}, resample=3, image_mean=list(MEAN), image_std=list(STD)
    )
    MiniGPTv2Processor(images, tokenizer(), image_tokens=FRAME.image_tokens).save_pretrained(out)
