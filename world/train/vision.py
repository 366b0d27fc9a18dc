"""The vision tower, trained on the truth itself: what each patch shows, and where.

What lives here: the tower's shape, its targets (per patch: kind, colour, clothes, activity, hair, box ...;
per photo: place, time of day, weather), and the run that trains it. CLIP and LLaVA start from the result.
What does not live here: the two models that use it (`clip`, `llava`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as functional
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import CLIPVisionConfig, CLIPVisionModel

from ..identity import AGES, HAIR_COLORS, HAIR_STYLES, IDENTITY_DIM, Person
from ..scene import ACTIVITIES, DAYTIMES, EXPRESSIONS, FACINGS, GARMENTS, PLACES, WEATHERS, Scene
from ..things import COAT_PATTERNS, COLORS, ITEM_DIM, PATTERNS, PETS, THINGS, Item
from ..truth import EntityTruth
from .checkpoint import load
from .instances import FEATURE_DIM, LookMatcher, looks_in
from .parallel import Run, fit, progress_in
from .pool import CHUNK, SIZE, Photo, Pool, view_box

WIDTH, LAYERS, HEADS, PATCH = 192, 6, 3, 16
GRID = SIZE // PATCH
MEAN = STD = (0.5, 0.5, 0.5)
BATCH = 64
PEAK = 1.2e-3
CHECKPOINT = "vision"
VISION_MINUTES = 40.0

_IGNORED = -100
PATCH_FIELDS: dict[str, tuple[str, ...]] = {
    "category": ("nothing", "man", "woman", "boy", "girl", *PETS, *THINGS),
    "color": (*COLORS, "gray"),
    "garment": GARMENTS,
    "activity": ACTIVITIES,
    "hair_style": tuple(dict.fromkeys(HAIR_STYLES["male"] + HAIR_STYLES["female"])),
    "hair_color": tuple(HAIR_COLORS),
    "age": AGES,
    "glasses": ("False", "True"),
    "beard": ("False", "True"),
    "freckles": ("False", "True"),
    "expression": EXPRESSIONS,
    "facing": FACINGS,
    "main": ("False", "True"),
    "pattern": tuple(dict.fromkeys(PATTERNS + COAT_PATTERNS)),
    "second_color": (*COLORS, "gray"),
    "accessory": ("none", *COLORS),
}
PHOTO_FIELDS = {"place": PLACES, "daytime": DAYTIMES, "weather": WEATHERS}
FIELD_WEIGHTS = {"garment": 3.0, "color": 3.0, "activity": 2.0}  # what is asked most
_CODES = {
    field: {value: code for code, value in enumerate(values)}
    for field, values in (PATCH_FIELDS | PHOTO_FIELDS).items()
}


#: Of every pocket tower, whichever class it is.
SHAPE: dict[str, Any] = {
    "hidden_size": WIDTH,
    "intermediate_size": 4 * WIDTH,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "image_size": SIZE,
    "patch_size": PATCH,
}


def build_tower(size: int = SIZE) -> CLIPVisionModel:
    """The untrained tower for photos of `size` pixels: a ViT of 81 patches (of 144) and a class token."""
    config = CLIPVisionConfig(
        **(SHAPE | {"image_size": size}),
        projection_dim=WIDTH,
        hidden_act="gelu",
        attn_implementation="eager",  # the fastest on a CPU at this size
    )
    return CLIPVisionModel(config)


def load_truth(work: Path) -> TruthTask:
    """Tower and heads as the run in `work` left them."""
    task = TruthTask()
    if not load(work / CHECKPOINT, task).finished:
        raise FileNotFoundError(f"no finished vision tower in {work / CHECKPOINT}")
    return task


def to_pixels(images: NDArray[np.uint8], device: str = "cpu") -> Tensor:
    """uint8 (n, size, size, 3) to normalised float32 (n, 3, size, size)."""
    return torch.from_numpy(images).to(device).permute(0, 3, 1, 2).float() / 127.5 - 1


class TruthHeads(nn.Module):
    """Linear heads that read the truth off the tower's last layer."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(WIDTH)
        self.sizes = [len(values) for values in PATCH_FIELDS.values()]
        self.photo_sizes = [len(values) for values in PHOTO_FIELDS.values()]
        self.patch_heads = nn.Linear(WIDTH, sum(self.sizes) + 4 + IDENTITY_DIM + ITEM_DIM)
        self.photo_heads = nn.Linear(WIDTH, sum(self.photo_sizes) + FEATURE_DIM)
        self.matcher = LookMatcher()

    def read(self, states: Tensor) -> tuple[Tensor, Tensor]:
        """Patch logits (n, patches, ...) and photo logits (n, ...) from the tower's states (n, 1 + patches,
        WIDTH).
        """
        normed = self.norm(states)
        return self.patch_heads(normed[:, 1:]), self.photo_heads(normed[:, 0])

    def loss(self, outputs: tuple[Tensor, Tensor], targets: Targets) -> tuple[Tensor, dict[str, float]]:
        """The sum of all heads' losses, and the share each field gets right."""
        patches, photo = (o.float() for o in outputs)
        *fields, boxes, people, items = patches.split([*self.sizes, 4, IDENTITY_DIM, ITEM_DIM], dim=-1)
        names = [*PATCH_FIELDS, *PHOTO_FIELDS]
        *photo_fields, feature = photo.split([*self.photo_sizes, FEATURE_DIM], dim=-1)
        logits = [f.flatten(0, 1) for f in fields] + photo_fields
        wanted = [*targets.patches.unbind(-1), *targets.photo.unbind(-1)]
        total = patches.new_zeros(())
        right: dict[str, float] = {}
        for name, scores, want in zip(names, logits, wanted, strict=True):
            want = want.reshape(-1)
            known = want != _IGNORED
            loss = functional.cross_entropy(scores[known], want[known])
            total = total + FIELD_WEIGHTS.get(name, 1.0) * loss
            right[name] = float((scores[known].argmax(-1) == want[known]).float().mean())
        shown = targets.boxes.sum(-1) > 0
        box_error = functional.l1_loss(boxes[shown], targets.boxes[shown])
        person, item = targets.person_look.abs().sum(-1) > 0, targets.item_look.abs().sum(-1) > 0
        look_error = functional.mse_loss(
            people[person], targets.person_look[person]
        ) + 2 * functional.mse_loss(items[item], targets.item_look[item])
        match_error, right["matched"] = self.matcher(feature, targets.looks, targets.present)
        right |= {"box_error": float(box_error.detach()), "look_error": float(look_error.detach())}
        return total + 10 * box_error + look_error + match_error, right


class TruthTask(TruthHeads):
    """The tower under its heads."""

    def __init__(self, size: int = SIZE) -> None:
        super().__init__()
        self.tower = build_tower(size)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """What the heads read off photos."""
        return self.read(self.tower(pixels, output_hidden_states=True).hidden_states[-1])


class Targets:
    """What the heads should say about a batch of photos, of `grid` x `grid` patches each."""

    def __init__(
        self, photos: Sequence[Photo], rng: np.random.Generator, device: str, grid: int = GRID
    ) -> None:
        rows = zip(*(_photo_targets(photo, grid) for photo in photos), strict=True)
        stacked = [torch.from_numpy(np.stack(part)).to(device) for part in rows]
        self.patches, self.boxes, self.person_look, self.item_look, self.photo = stacked
        self.looks, self.present = (part.to(device) for part in looks_in(photos, rng))


def owners(photo: Photo, grid: int = GRID) -> NDArray[np.int64]:
    """Whose each of `grid` x `grid` patches is: the index in `photo.found` of the frontmost entity there, -1
    for nobody; (grid * grid,).
    """
    owner = np.full((grid, grid), -1, np.int64)
    centres = (np.arange(grid) + 0.5) / grid
    for number, entry in enumerate(photo.found):
        box = view_box(entry.box, photo.view)
        if box is not None:
            columns = (centres > box[0]) & (centres < box[2])
            rows = (centres > box[1]) & (centres < box[3])
            owner[np.ix_(rows, columns)] = number
    return owner.reshape(-1)


def _photo_targets(photo: Photo, grid: int) -> tuple[NDArray[np.generic], ...]:
    """Codes (patches, fields), boxes (patches, 4), looks, codes of the photo; a patch is its frontmost
    entity's.
    """
    cells = grid * grid
    codes = np.full((cells, len(PATCH_FIELDS)), _IGNORED, np.int64)
    codes[:, 0] = 0
    owner = owners(photo, grid)
    boxes = np.zeros((cells, 4), np.float32)
    people = np.zeros((cells, IDENTITY_DIM), np.float32)
    items = np.zeros((cells, ITEM_DIM), np.float32)
    for number, entry in enumerate(photo.found):
        owned = owner == number
        if owned.any():
            codes[owned] = entity_codes(entry, photo.scene)
            boxes[owned] = view_box(entry.box, photo.view)
            (items if isinstance(entry.entity, Item) else people)[owned] = entry.entity.vector()
    return codes, boxes, people, items, photo_codes(photo)


def photo_codes(photo: Photo) -> NDArray[np.int64]:
    """What a photo shows as a whole, a number per field of PHOTO_FIELDS."""
    return np.array([_CODES[field][getattr(photo.scene, field)] for field in PHOTO_FIELDS], np.int64)


def entity_codes(entry: EntityTruth, scene: Scene) -> list[int]:
    """What an entity is, a number per field of PATCH_FIELDS."""
    entity = entry.entity
    activity = entry.doing.split()[0]
    values = {"category": entry.category, "color": entry.color, "activity": activity, "main": str(entry.main)}
    if isinstance(entity, Person):
        values |= {"garment": str(entry.garment), "facing": str(entry.facing), "age": entity.age}
        values |= {"hair_style": entity.hair_style}
        if entity.hair_style != "bald":
            values |= {"hair_color": entity.hair_color}
        if entry.facing != "back":
            face = scene.actor(entry.key).expression, entity.glasses, entity.beard, entity.freckles
            values |= dict(zip(("expression", "glasses", "beard", "freckles"), map(str, face), strict=True))
    else:
        values |= {"pattern": entity.pattern, "accessory": entity.accessory_color}
        if entity.pattern != "plain":
            values |= {"second_color": entity.second_color}
    return [_CODES[field][values[field]] if field in values else _IGNORED for field in PATCH_FIELDS]


def train_in(scenes: Path, run: Run) -> None:
    """Train the tower on the pool in `scenes`, with losses on patches and on the photo's one feature."""
    torch.manual_seed(0)
    fit_truth(run, CHECKPOINT, TruthTask().to(run.device), Pool(scenes), PEAK)


def fit_truth(run: Run, name: str, task: TruthHeads, pool: Pool, peak: float) -> None:
    """Train heads and the tower under them on photos of `pool`, from the checkpoint of that name if any."""
    forward = torch.compile(task)
    rng = np.random.default_rng([run.rank, progress_in(run.work / name).steps])

    def batch_loss(_: float) -> tuple[Tensor, dict[str, float]]:
        chosen = np.sort(rng.choice(len(pool) - CHUNK, BATCH, replace=False))  # the last chunk is held out
        photos, images = pool.sample(chosen, rng)
        targets = Targets(photos, rng, run.device)
        with run.autocast():
            outputs = forward(to_pixels(images, run.device))
        return task.loss(outputs, targets)

    fit(run, name, task, batch_loss, peak=peak)
