"""Training on several processes of one thread each, against the clock, with checkpoints.

What lives here: starting the processes, averaging their gradients, the schedule by wall-clock minutes. On
two CPU cores two processes of one thread get a third more done than one process of two threads, because
small operations do not split well; on an accelerator there is one process. What does not live here:
networks, losses, data, and the checkpoint format (`checkpoint`).
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import Tensor, nn

from .checkpoint import Progress, learning_rate, load, save
from .optimizers import MuonAndAdamW

log = logging.getLogger(__name__)

SAVE_SECONDS = 150.0
LOG_SECONDS = 30.0


@dataclass(frozen=True)
class Run:
    """One training run as each of its processes sees it."""

    work: Path  # pools and checkpoints
    minutes: float
    device: str
    rank: int = 0
    workers: int = 1

    @property
    def leader(self) -> bool:
        """Whether this process writes the log and the checkpoints."""
        return self.rank == 0

    def autocast(self) -> torch.autocast:
        """bfloat16 for the matrix products, float32 for the rest."""
        return torch.autocast(self.device.split(":")[0], torch.bfloat16)


def launch(worker: Callable[[Run], None], work: Path, minutes: float, device: str) -> None:
    """Run `worker` in one process per core, or in one on an accelerator; wait for all."""
    workers = 1 if device != "cpu" else min(os.cpu_count() or 1, 4)
    rendezvous = work / f"rendezvous-{os.getpid()}"
    work.mkdir(parents=True, exist_ok=True)
    rendezvous.unlink(missing_ok=True)
    mp.spawn(_enter, args=(worker, work, minutes, device, workers, rendezvous), nprocs=workers)
    rendezvous.unlink(missing_ok=True)


def progress_in(folder: Path) -> Progress:
    """How far the run got whose checkpoint is in `folder`."""
    progress = folder / "progress.json"
    return Progress(**json.loads(progress.read_text())) if progress.exists() else Progress()


def finished(folder: Path) -> bool:
    """Whether the run whose checkpoint is in `folder` has come to its end."""
    return progress_in(folder).finished


def _enter(
    rank: int,
    worker: Callable[[Run], None],
    work: Path,
    minutes: float,
    device: str,
    workers: int,
    meet: Path,
) -> None:
    logging.basicConfig(
        level=logging.INFO if rank == 0 else logging.WARNING, format="%(asctime)s %(message)s"
    )
    if device == "cpu":
        torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{meet}", rank=rank, world_size=workers)
    worker(Run(work, minutes, device, rank, workers))
    dist.destroy_process_group()


def fit(
    run: Run,
    name: str,
    model: nn.Module,
    batch_loss: Callable[[float], tuple[Tensor, dict[str, float]]],
    *,
    peak: float,
    weight_decay: float = 0.05,
    slow: tuple[str, float] = ("", 1.0),
    evaluate: Callable[[], str] | None = None,
    evaluate_minutes: float = 10.0,
) -> None:
    """Train `model` in place for `run.minutes`, from the checkpoint `run.work / name` if there is one.

    `batch_loss` gets the spent fraction of the time and returns the loss of this process's batch, and what
    to log. `slow` names parameters by their prefix that learn at a fraction of the rate. `evaluate`
    describes the model on held-out scenes; only the leader calls it, and its time does not count.
    """
    folder = run.work / name
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = MuonAndAdamW(model, peak, weight_decay, *slow)
    progress = load(folder, model, optimizer)
    clock = _Clock(evaluate_minutes * 60)
    seen: dict[str, float] = {}
    started = 0
    model.train()
    while not progress.finished:
        begun = time.monotonic()
        fraction = progress.seconds / (60 * run.minutes)
        optimizer.set_rate(learning_rate(fraction, peak, warmup=0.02))
        optimizer.zero_grad()
        loss, parts = batch_loss(fraction)
        loss.backward()
        _average_gradients(parameters, run.workers)
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        progress.steps += 1
        taken = _agree(time.monotonic() - begun, run)
        progress.seconds += taken if (started := started + 1) > 2 else 0.0  # the first steps compile
        progress.finished = progress.seconds >= 60 * run.minutes
        for key, part in parts.items():
            seen[key] = part if key not in seen else 0.98 * seen[key] + 0.02 * part
        if run.leader:
            _report(clock, folder, model, optimizer, progress, run, seen, evaluate)
    model.eval()


class _Clock:
    """When the leader last logged, saved and evaluated."""

    def __init__(self, evaluate_seconds: float) -> None:
        self.logged = self.saved = self.evaluated = time.monotonic()
        self.evaluate_seconds = evaluate_seconds


def _report(
    clock: _Clock,
    folder: Path,
    model: nn.Module,
    optimizer: MuonAndAdamW,
    progress: Progress,
    run: Run,
    seen: dict[str, float],
    evaluate: Callable[[], str] | None,
) -> None:
    now = time.monotonic()
    if now - clock.logged > LOG_SECONDS or progress.finished:
        parts = " ".join(f"{key} {value:.3f}" for key, value in seen.items())
        log.info(
            "%s %.1f of %g min, step %d: %s",
            folder.name,
            progress.seconds / 60,
            run.minutes,
            progress.steps,
            parts,
        )
        clock.logged = now
    if now - clock.saved > SAVE_SECONDS or progress.finished:
        save(folder, model, optimizer, progress)
        clock.saved = now
    if evaluate and (now - clock.evaluated > clock.evaluate_seconds or progress.finished):
        model.eval()
        log.info("%s %.1f min: %s", folder.name, progress.seconds / 60, evaluate())
        model.train()
        clock.evaluated = time.monotonic()


def _average_gradients(parameters: list[nn.Parameter], workers: int) -> None:
    """Make every process's gradients the mean of all, in one message."""
    if workers == 1:
        return
    with_gradient = [p for p in parameters if p.grad is not None]
    flat = torch.cat([p.grad.reshape(-1) for p in with_gradient])
    dist.all_reduce(flat)
    flat /= workers
    for parameter, part in zip(with_gradient, flat.split([p.numel() for p in with_gradient]), strict=True):
        parameter.grad = part.view_as(parameter)


def _agree(seconds: float, run: Run) -> float:
    """The leader's step time, so that all processes follow one schedule and stop at the same step."""
    if run.workers == 1:
        return seconds
    shared: Any = torch.tensor([seconds if run.leader else 0.0], dtype=torch.float64)
    dist.all_reduce(shared)
    return float(shared.item())
