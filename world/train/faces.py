"""The recipe of the face pack: pools, the detector, the recogniser, and the pack that insightface loads.

What lives here: the order of things and its settings. What does not: networks, losses, pools and export, each
in its own `faces_*.py`.
"""

import json
import logging
import os
from pathlib import Path

import numpy as np
import torch

from ..identity import IDENTITY_DIM
from ..measure.faces import recognise
from ..measure.faces_trial import Trial, run_trial
from .checkpoint import fit
from .faces_batches import CUT, Crops, Tiles
from .faces_detector import Detector, anchors, detection_loss, flatten
from .faces_export import export_detector, export_recogniser
from .faces_pool import FAMILY, crops_pool, tiles_pool
from .faces_recogniser import RecogniserTask

log = logging.getLogger(__name__)

MINUTES = 40.0
DETECTOR_SHARE = 0.35
TILES, FAMILIES, CROPS_EACH = 12_000, 1_200, 12
SEED, VALIDATION_SEED = 1_000_000, 2_000_000
"""Of training people and of those the threshold is chosen on; measured people have another."""
MISTAKEN = 0.015
"""Well under the paper's 2.33 %: a pack's threshold has to hold in other libraries too."""
VALIDATION_FAMILIES, VALIDATION_PHOTOS = 48, 12


def train(*, minutes: float | None, device: str, out: Path, work: Path) -> None:
    """Train the pack for `minutes` and write it to `out`; `work` holds pools and checkpoints to resume."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    minutes = minutes or MINUTES
    detector = train_detector(work, minutes * DETECTOR_SHARE, device)
    export_detector(detector, out)
    task = train_recogniser(work, minutes * (1 - DETECTOR_SHARE), device)
    export_recogniser(task.recogniser, out)
    write_pack(out)


def train_detector(work: Path, minutes: float, device: str) -> Detector:
    """The detector, trained on tiles; returned on the CPU."""
    pool = tiles_pool(work / "tiles", TILES, SEED, os.cpu_count() or 1)
    torch.manual_seed(0)
    detector = Detector().to(device, memory_format=torch.channels_last)
    tiles = Tiles(pool)
    grid = tuple(part.to(device) for part in anchors(CUT, CUT))

    def batch_loss(_: float) -> tuple[torch.Tensor, dict[str, float]]:
        images, faces = tiles.batch(16)
        with torch.autocast(device, torch.bfloat16):
            answers = detector(images.to(device))
        values = torch.cat([flatten(answer.float()) for answer in answers], dim=1)
        return detection_loss(values, faces.to(device), (grid[0], grid[1], grid[2]))

    fit(detector, batch_loss, work / "detector", minutes=minutes, peak=2e-3)
    return detector.cpu()


def train_recogniser(work: Path, minutes: float, device: str) -> RecogniserTask:
    """The recogniser with what taught it, trained on aligned crops; returned on the CPU."""
    pool = crops_pool(work / "crops", FAMILIES, CROPS_EACH, SEED, os.cpu_count() or 1)
    torch.manual_seed(0)
    task = RecogniserTask(FAMILY * FAMILIES, IDENTITY_DIM).to(device, memory_format=torch.channels_last)
    crops = Crops(pool)

    def batch_loss(progress: float) -> tuple[torch.Tensor, dict[str, float]]:
        images, identity, vector = (part.to(device) for part in crops.batch(128))
        with torch.autocast(device, torch.bfloat16):
            return task.loss(images, identity, vector, ease=min(1.0, progress / 0.3))

    fit(task, batch_loss, work / "recogniser", minutes=minutes, peak=2e-3)
    return task.cpu()


def write_pack(out: Path) -> None:
    """Choose the person threshold on validation people and store it with the pack as data."""
    trial = run_trial(out, VALIDATION_SEED, VALIDATION_FAMILIES, VALIDATION_PHOTOS)
    threshold = choose_threshold(trial)
    pack = {"person_threshold": round(threshold, 3)}
    (out / "pack.json").write_text(json.dumps(pack, indent=2) + "\n")
    log.info("person threshold %.3f: %s", threshold, recognise(trial, threshold))


def choose_threshold(trial: Trial) -> float:
    """The largest cosine distance at which at most MISTAKEN of other people's faces are taken for one."""
    chosen = 0.0
    for threshold in np.arange(0.1, 1.0, 0.01):
        people = recognise(trial, float(threshold), rounds=10)
        if max(people.wrong, people.strangers) > MISTAKEN:
            break
        chosen = float(threshold)
    return chosen
