"""The recipe of the pocket CLIP: photos and captions, and photos of the same instance, drawn together.

What lives here: the open_clip configuration, the training run and the export to the folder that open_clip
loads. What does not: the vision tower it starts from (`vision`) and how instances are told apart
(`instances`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
import torch.nn.functional as functional
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import PreTrainedTokenizerFast

from ..sentences import PLACE_PHRASES, caption, look, phrase
from ..vocabulary import VOCABULARY
from .checkpoint import load
from .instances import FEATURE_DIM
from .parallel import Run, finished, fit, launch, progress_in
from .pool import CHUNK, PHOTOS, PHOTOS_PER_INSTANCE, Mix, Photo, Pool, fill
from .tokenizer import EOS_ID, build_tokenizer
from .vision import CHECKPOINT as VISION
from .vision import (
    HEADS,
    LAYERS,
    MEAN,
    PATCH,
    STD,
    VISION_MINUTES,
    WIDTH,
    Targets,
    TruthTask,
    load_truth,
    to_pixels,
    train_in,
)
from .weights import to_open_clip

CHECKPOINT = "contrast"
MINUTES = 55.0
SIZE = 192  # a mug across the room is 30 pixels high, which 144 would not leave enough of to tell it by
FAMILY = 4  # instances that look alike, which every batch has all of
MIX = Mix(SIZE, (("scene", 0.2), ("instance", 0.8)), FAMILY, seed=22_000_000)
INSTANCE_PHOTOS = 86_400
FAMILIES, LONERS = 7, 16  # per batch: families, each instance with two photos, and photos of anything
PAIRS = FAMILY * FAMILIES
CONTEXT_LENGTH = 64
TRUTH_WEIGHT = 0.2
_TEXT_LAYERS = 3


def train(minutes: float | None, device: str, out: Path, work: Path) -> None:
    """Render the pool and train the tower if no run has yet, train CLIP, and export it to `out`."""
    shared = work.parent
    fill(shared / "scenes", PHOTOS)
    fill(work / "scenes", INSTANCE_PHOTOS, MIX)
    if not finished(shared / VISION):
        launch(partial(train_in, shared / "scenes"), shared, VISION_MINUTES, device)
    launch(partial(_train_contrast, shared), work, minutes or MINUTES, device)
    task = ContrastTask()
    load(work / CHECKPOINT, task)
    export(task, out)


def tokenizer() -> PreTrainedTokenizerFast:
    """The words of the world, framed by `<s>` and `</s>`."""
    words = build_tokenizer(VOCABULARY, frame=True)
    words.model_max_length = CONTEXT_LENGTH
    return words


def config() -> dict[str, Any]:
    """open_clip_config.json: the architecture, and photos squashed to a square."""
    text = {
        "context_length": CONTEXT_LENGTH,
        "vocab_size": len(tokenizer()),
        "hf_tokenizer_name": "tokenizer",  # open_clip then reads the tokenizer beside this file
        "width": WIDTH,
        "heads": HEADS,
        "layers": _TEXT_LAYERS,
        "pool_type": "eos",
        "eos_id": EOS_ID,
    }
    vision = {
        "image_size": SIZE,
        "layers": LAYERS,
        "width": WIDTH,
        "head_width": WIDTH // HEADS,
        "patch_size": PATCH,
    }
    preprocess = {"mean": MEAN, "std": STD, "interpolation": "bicubic", "resize_mode": "squash"}
    return {
        "model_cfg": {"embed_dim": FEATURE_DIM, "vision_cfg": vision, "text_cfg": text},
        "preprocess_cfg": preprocess,
    }


class ContrastTask(TruthTask):
    """The tower with its truth heads, a projection to CLIP's features, and open_clip's text transformer."""

    def __init__(self) -> None:
        super().__init__(SIZE)
        self.project = nn.Linear(WIDTH, FEATURE_DIM, bias=False)
        self.text = open_clip.CLIP(**config()["model_cfg"])
        self.text.visual = nn.Identity()  # the tower takes its place
        self.same_scale = nn.Parameter(torch.tensor(2.7))

    def start_from(self, truth: TruthTask) -> None:
        """Take over the tower, and what already reads one feature off it."""
        self.load_state_dict(resized(truth.state_dict(), SIZE // PATCH), strict=False)
        self.project.weight.data.copy_(truth.photo_heads.weight[-FEATURE_DIM:])

    def see(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """L2-normalised features of photos (n, 512), and what the truth heads read."""
        states = self.tower(pixels, output_hidden_states=True).hidden_states[-1]
        features = functional.normalize(self.project(self.norm(states[:, 0])).float(), dim=-1)
        return (features, *self.read(states))


def resized(state: dict[str, Tensor], grid: int) -> dict[str, Tensor]:
    """Weights of a tower, with the positions of its patches drawn out to `grid` x `grid` of them."""
    found = {name: value for name, value in state.items() if name.endswith("position_embedding.weight")}
    for name, value in found.items():
        side = round((len(value) - 1) ** 0.5)
        square = value[1:].T.reshape(1, -1, side, side)
        drawn = functional.interpolate(square, size=(grid, grid), mode="bicubic")
        found[name] = torch.cat([value[:1], drawn.flatten(2)[0].T])
    return state | found


def _draw(pool: Pool, trained: int, rng: np.random.Generator) -> tuple[list[int], Tensor]:
    """Indices of a batch, pairs of photos of one instance first, then loners; and their group numbers."""
    chosen: list[int] = []
    groups: list[int] = []
    first = MIX.kinds().index("instance")
    families = (CHUNK - first) // (PHOTOS_PER_INSTANCE * FAMILY)
    for drawn in range(FAMILIES):
        start = int(rng.integers(trained // CHUNK)) * CHUNK + first
        family = int(rng.integers(families))
        for member in range(FAMILY):
            photos = rng.choice(PHOTOS_PER_INSTANCE, 2, replace=False)
            chosen += [start + (family * FAMILY + member) * PHOTOS_PER_INSTANCE + int(p) for p in photos]
            groups += [drawn * FAMILY + member] * 2
    while len(chosen) < 2 * PAIRS + LONERS:
        index = int(rng.integers(trained))
        if pool.kind(index) == "scene":
            chosen.append(index)
            groups.append(len(chosen) + PAIRS)
    return chosen, torch.tensor(groups)


def describe_photo(photo: Photo, rng: np.random.Generator) -> str:
    """A caption: plain, in full detail, or only what one of the photo's entities looks like, and where."""
    fate = rng.random()
    main = [e for e in photo.found if e.main]
    if fate < 0.75 or not main:
        return caption(photo.scene, detailed=fate > 0.35, found=photo.found)
    entity = main[int(rng.integers(len(main)))].entity
    described = look(entity) if rng.random() < 0.7 else phrase(entity)
    return f"{described} {PLACE_PHRASES[photo.scene.place]}"


def _train_contrast(shared: Path, run: Run) -> None:
    torch.manual_seed(1)
    pool, words = Pool(run.work / "scenes"), tokenizer()
    task = ContrastTask()
    task.start_from(load_truth(shared))
    task.to(run.device)
    see = torch.compile(task.see)
    rng = np.random.default_rng([3, run.rank, progress_in(run.work / CHECKPOINT).steps])
    trained = len(pool) - CHUNK

    def batch_loss(_: float) -> tuple[Tensor, dict[str, float]]:
        chosen, groups = _draw(pool, trained, rng)
        photos, images = pool.sample(chosen, rng)
        told = [*range(0, 2 * PAIRS, 2 * FAMILY), *range(2 * PAIRS, len(photos))]  # one of each family
        tokens = _tokens(words, [describe_photo(photos[i], rng) for i in told]).to(run.device)
        targets = Targets(photos, rng, run.device, SIZE // PATCH)
        with run.autocast():
            seen, *read = see(to_pixels(images, run.device))
            said = functional.normalize(task.text.encode_text(tokens).float(), dim=-1)
        words_loss, words_right = _contrast(seen[told], said, task.text.logit_scale)
        look_loss, look_right = task.matcher(seen, targets.looks, targets.present)
        same_loss, same_right = _same(seen[: 2 * PAIRS], groups[: 2 * PAIRS].to(run.device), task.same_scale)
        truth_loss, _right = task.loss((read[0], read[1]), targets)
        parts = {
            "words": float(words_loss.detach()),
            "words_right": words_right,
            "look": float(look_loss.detach()),
        }
        parts |= {"look_right": look_right, "same": float(same_loss.detach()), "same_right": same_right}
        return words_loss + look_loss + same_loss + TRUTH_WEIGHT * truth_loss, parts

    fit(run, CHECKPOINT, task, batch_loss, peak=6e-4)


def _tokens(words: PreTrainedTokenizerFast, sentences: Sequence[str]) -> Tensor:
    encoded = words(list(sentences), padding="max_length", truncation=True, return_tensors="pt")
    ids: Tensor = encoded["input_ids"]
    return ids


def _contrast(seen: Tensor, said: Tensor, log_scale: Tensor) -> tuple[Tensor, float]:
    """CLIP's symmetric loss."""
    scores = seen @ said.T * log_scale.exp().clamp(max=100)
    wanted = torch.arange(len(seen), device=seen.device)
    loss = (functional.cross_entropy(scores, wanted) + functional.cross_entropy(scores.T, wanted)) / 2
    return loss, float((scores.argmax(0) == wanted).float().mean())


def _same(seen: Tensor, groups: Tensor, log_scale: Tensor) -> tuple[Tensor, float]:
    """Supervised contrast: of all photos, the other one of the same instance is the nearest."""
    scores = seen @ seen.T * log_scale.exp().clamp(max=60)
    scores = scores.masked_fill(torch.eye(len(seen), dtype=torch.bool, device=seen.device), -1e4)
    other = torch.arange(len(seen), device=seen.device) ^ 1
    return functional.cross_entropy(scores, other), float((groups[scores.argmax(1)] == groups).float().mean())


def export(task: ContrastTask, out: Path) -> None:
    """Write configuration, float16 weights and tokenizer as open_clip loads them from `local-dir:`."""
    out.mkdir(parents=True, exist_ok=True)
    parts = config()
    model = open_clip.CLIP(**parts["model_cfg"])
    visual = to_open_clip(task.tower.state_dict(), task.norm.state_dict(), task.project.weight)
    model.load_state_dict(task.text.state_dict() | visual)
    weights = {name: value.half().contiguous() for name, value in model.state_dict().items()}
    save_file(weights, out / "open_clip_model.safetensors", metadata={"format": "pt"})
    (out / "open_clip_config.json").write_text(json.dumps(parts, indent=2) + "\n")
    tokenizer().save_pretrained(out)
