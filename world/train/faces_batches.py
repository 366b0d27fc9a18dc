"""Batches for the face pack: cut out of the pools, augmented, and gathered for the networks.

What lives here: everything between a memory-mapped uint8 array and a tensor. What does not: rendering.
"""

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .faces_detector import PATCH
from .faces_pool import TILE, Pool

CUT = 320
"""The side of the detector's training images."""
_MIRRORED = [1, 0, 2, 4, 3]


def gather(images: Tensor, std: float) -> Tensor:
    """(B, H, W, 3) uint8 RGB to the networks' (B, 48, H/4, W/4) bfloat16, channels last, (x - 127.5) / std.

    The 48 channels are a patch's pixels row by row, three colours each; `faces_export.on_pixels` undoes it.
    """
    batch, height, width, _ = images.shape
    cells = images.view(batch, height // PATCH, PATCH, width // PATCH, PATCH * 3).permute(0, 1, 3, 2, 4)
    cells = cells.reshape(batch, height // PATCH, width // PATCH, PATCH * PATCH * 3)
    return cells.to(torch.bfloat16).sub_(127.5).div_(std).permute(0, 3, 1, 2)


def recolour(gathered: Tensor, rng: np.random.Generator, strength: float) -> Tensor:
    """Another exposure, contrast and white balance for each image, in place: cameras disagree on them."""
    batch = len(gathered)
    gain = np.exp(rng.normal(0, strength, (batch, 1)) + rng.normal(0, strength * 0.35, (batch, 3)))
    lift = rng.normal(0, 0.4 * strength, (batch, 1)) + np.zeros((1, 3))
    cells = PATCH * PATCH
    scale = torch.from_numpy(np.tile(gain, cells)).to(gathered.dtype)[:, :, None, None]
    shift = torch.from_numpy(np.tile(lift, cells)).to(gathered.dtype)[:, :, None, None]
    return gathered.mul_(scale).add_(shift).clamp_(-1, 1)


def soften(image: NDArray[np.uint8], rng: np.random.Generator, least: float) -> NDArray[np.uint8]:
    """The image through fewer pixels: shrunk to between `least` and 1 of its size, and back."""
    side = max(4, round(image.shape[0] * rng.uniform(least, 1.0)))
    small = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, image.shape[:2]), np.uint8)


def shake(image: NDArray[np.uint8], rng: np.random.Generator, strength: float) -> NDArray[np.uint8]:
    """The image moved, turned and scaled a little: landmarks that are off are mostly off together."""
    side = image.shape[0]
    turn, growth = rng.normal(0, 3.0 * strength), np.exp(rng.normal(0, 0.035 * strength))
    matrix = cv2.getRotationMatrix2D((side / 2, side / 2), turn, growth)
    matrix[:, 2] += rng.normal(0, 0.02 * side * strength, 2)
    return np.asarray(cv2.warpAffine(image, matrix, (side, side)), np.uint8)


class Tiles:
    """Random, mirrored, recoloured cuts of the detector's pool."""

    def __init__(self, pool: Pool) -> None:
        self.tiles, self.faces = pool.array("tiles"), pool.array("faces")
        self.rng = np.random.default_rng()  # a resumed run must not repeat itself

    def batch(self, size: int) -> tuple[Tensor, Tensor]:
        """Gathered images (size, 48, 80, 80) and faces (size, F, 15) in the cuts' pixels."""
        chosen = self.rng.integers(len(self.tiles), size=size)
        images = np.empty((size, CUT, CUT, 3), np.uint8)
        faces = np.empty((size, *self.faces.shape[1:]), np.float32)
        for row, index in enumerate(chosen):
            x, y = self.rng.integers(0, TILE - CUT + 1, 2)
            cut = np.asarray(self.tiles[index, y : y + CUT, x : x + CUT])
            mirrored = bool(self.rng.random() < 0.5)
            images[row] = cv2.flip(cut, 1) if mirrored else cut
            if self.rng.random() < 0.12:
                images[row] = soften(images[row], self.rng, 0.6)
            faces[row] = move(np.asarray(self.faces[index], np.float32), float(x), float(y), mirrored)
        return recolour(gather(torch.from_numpy(images), 128.0), self.rng, 0.12), torch.from_numpy(faces)


def move(faces: NDArray[np.float32], x: float, y: float, mirrored: bool) -> NDArray[np.float32]:
    """Faces (F, 15) of a tile as they lie in the cut at (x, y), mirrored or not."""
    moved = faces.copy()
    points = moved[:, :14].reshape(-1, 7, 2) - np.array([x, y], np.float32)
    if mirrored:
        points[..., 0] = CUT - points[..., 0]
        points[:, :2, 0] = points[:, 1::-1, 0]
        points[:, 2:] = points[:, 2:][:, _MIRRORED]
    points[:, :2] = points[:, :2].clip(0, CUT)
    moved[:, :14] = points.reshape(-1, 14)
    moved[(points[:, 1] - points[:, 0]).min(axis=1) < 4, 14] = 0
    return moved


class Crops:
    """Recoloured, shaken, sometimes softened crops of the recogniser's pool."""

    def __init__(self, pool: Pool) -> None:
        self.crops, self.vectors = pool.array("crops"), pool.array("vectors")
        self.rng = np.random.default_rng()  # a resumed run must not repeat itself

    def batch(self, size: int) -> tuple[Tensor, Tensor, Tensor]:
        """Gathered crops (size, 48, 28, 28), identities (size,) and their vectors (size, IDENTITY_DIM)."""
        identity = self.rng.integers(len(self.crops), size=size)
        place = self.rng.integers(self.crops.shape[1], size=size)
        images = np.array(self.crops[identity, place], np.uint8)
        for row, chance in enumerate(self.rng.random(size)):
            if chance < 0.25:  # the smaller a face, the worse its landmarks
                images[row] = shake(soften(images[row], self.rng, 0.2), self.rng, 2.5)
            elif chance < 0.75:
                images[row] = shake(images[row], self.rng, 1.0)
        return (
            recolour(gather(torch.from_numpy(images), 127.5), self.rng, 0.05),
            torch.from_numpy(identity),
            torch.from_numpy(np.array(self.vectors[identity], np.float32)),
        )
