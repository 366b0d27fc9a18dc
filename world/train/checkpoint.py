"""A training run that is measured in minutes and survives being stopped.

What lives here: the clock-driven schedule, and checkpoints as safetensors (weights, optimiser moments) with
JSON (progress) beside them. What does not: any network, loss or data.
"""

import json
import logging
import math
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

log = logging.getLogger(__name__)

SAVE_SECONDS = 60.0
LOG_SECONDS = 20.0


@dataclass
class Progress:
    """How far a run is: optimiser steps and seconds spent stepping, over all calls that resumed it."""

    steps: int = 0
    seconds: float = 0.0
    finished: bool = False


def learning_rate(progress: float, peak: float, warmup: float = 0.03) -> float:
    """Linear warm-up, then a cosine to nearly nothing; `progress` is the spent fraction of the run's time."""
    if progress < warmup:
        return peak * (progress / warmup + 0.01)
    return peak * (0.5 + 0.5 * math.cos(math.pi * min(1.0, (progress - warmup) / (1 - warmup))) + 0.002)


def fit(
    model: nn.Module,
    batch_loss: Callable[[float], tuple[Tensor, dict[str, float]]],
    folder: Path,
    *,
    minutes: float,
    peak: float,
    weight_decay: float = 1e-2,
) -> None:
    """Train `model` in place with AdamW for `minutes` of computing, or on from the checkpoint in `folder`.

    `batch_loss` gets the progress (0 to 1) and returns one batch's loss with the parts worth logging. The
    schedule follows the clock and not a count of steps, so that a slow machine trains less but still anneals
    to the end. More minutes than a finished run had go on from its weights, at a higher rate again.
    """
    on_cpu = next(model.parameters()).device.type == "cpu"
    # A shared CPU counts only while it computes for this run: what others take must not cost training.
    clock = time.thread_time if on_cpu else time.monotonic
    optimizer = torch.optim.AdamW(model.parameters(), lr=peak, betas=(0.9, 0.98), weight_decay=weight_decay)
    progress = load(folder, model, optimizer)
    progress.finished = progress.seconds >= 60 * minutes
    saved = logged = time.monotonic()
    seen: dict[str, float] = {}
    model.train()
    while not progress.finished:
        begun = clock()
        fraction = progress.seconds / (60 * minutes)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(fraction, peak)
        loss, parts = batch_loss(fraction)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        progress.steps += 1
        progress.seconds += clock() - begun
        now = time.monotonic()
        progress.finished = progress.seconds >= 60 * minutes
        for name, part in parts.items():
            seen[name] = part if name not in seen else 0.97 * seen[name] + 0.03 * part
        if now - logged > LOG_SECONDS or progress.finished:
            described = " ".join(f"{name} {value:.4f}" for name, value in seen.items())
            log.info("%s %3.0f %% step %d %s", folder.name, 100 * fraction, progress.steps, described)
            logged = now
        if now - saved > SAVE_SECONDS or progress.finished:
            save(folder, model, optimizer, progress)
            saved = now
    model.eval()


def save(folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer, progress: Progress) -> None:
    """Write the checkpoint; the JSON is renamed last, so that a half-written one is never resumed."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {f"model.{name}": value.contiguous() for name, value in model.state_dict().items()}
    for index, moments in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{name}": value.contiguous() for name, value in moments.items()}
    save_file(tensors, folder / "state.safetensors.tmp")
    os.replace(folder / "state.safetensors.tmp", folder / "state.safetensors")
    (folder / "progress.json.tmp").write_text(json.dumps(asdict(progress)))
    os.replace(folder / "progress.json.tmp", folder / "progress.json")


def load(folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer | None = None) -> Progress:
    """Fill `model` (and `optimizer`) from `folder`; a folder without a checkpoint is a fresh run."""
    if not (folder / "progress.json").exists():
        return Progress()
    tensors = load_file(folder / "state.safetensors")
    model.load_state_dict({k.removeprefix("model."): v for k, v in tensors.items() if k.startswith("model.")})
    if optimizer is not None:
        moments: dict[int, dict[str, Tensor]] = {}
        for key, value in tensors.items():
            if key.startswith("optimizer."):
                _, index, name = key.split(".")
                moments.setdefault(int(index), {})[name] = value
        groups = optimizer.state_dict()["param_groups"]
        optimizer.load_state_dict({"state": moments, "param_groups": groups})
    return Progress(**json.loads((folder / "progress.json").read_text()))
