"""The pocket face detector: an SCRFD-shaped network, its targets and its loss.

Outputs, anchors and units are those that `insightface.model_zoo.scrfd.SCRFD` decodes: strides 8, 16 and 32,
two anchors on the top-left corner of each cell, distances and landmark offsets in units of the stride. What
does not live here: the tiles it is trained on (`faces_pool.py`) and the ONNX file (`faces_export.py`).
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

STRIDES = (8, 16, 32)
ANCHOR_SIZES = ((16.0, 32.0), (64.0, 128.0), (256.0, 512.0))
"""The face size in pixels that each of a cell's two anchors is for, per stride (SCRFD's own)."""
VALUES = 1 + 4 + 10
PATCH = 4
"""The network's first step gathers 4x4 pixels into channels: matrix units idle on three input channels."""
CENTRE_RADIUS = 1.2
"""How far from a face's centre, in strides, an anchor may answer for it."""
OWN_OCTAVES, SHARED_OCTAVES = 0.75, 1.25
"""An anchor answers for sizes up to 0.75 octaves from its own, and is not judged on those up to 1.25."""


def convolution(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Convolution, batch norm, ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


class Residual(nn.Module):
    """Two plain 3x3 convolutions around a shortcut: depthwise ones train 3 times slower on a CPU."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = convolution(channels, channels)
        self.second = nn.Sequential(
            nn.Conv2d(channels, channels, 3, 1, 1, bias=False), nn.BatchNorm2d(channels)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same."""
        return torch.relu(x + self.second(self.first(x)))


class Detector(nn.Module):
    """(B, 48, H/4, W/4) gathered pixels (`faces_batches.gather`) to one (B, 30, H/s, W/s) map per stride."""

    def __init__(self, widths: tuple[int, int, int, int] = (32, 48, 96, 128), neck: int = 48) -> None:
        super().__init__()
        stem, fine, middle, coarse = widths
        self.stem = convolution(3 * PATCH**2, stem, 1)
        self.fine = nn.Sequential(convolution(stem, fine, 3, 2), Residual(fine))
        self.middle = nn.Sequential(convolution(fine, middle, 3, 2), Residual(middle))
        self.coarse = nn.Sequential(convolution(middle, coarse, 3, 2), Residual(coarse))
        self.lateral = nn.ModuleList(nn.Conv2d(width, neck, 1) for width in widths[1:])
        self.head = nn.Sequential(convolution(neck, neck), convolution(neck, neck))
        self.answers = nn.ModuleList(nn.Conv2d(neck, 2 * VALUES, 1) for _ in STRIDES)
        for answer in self.answers:
            assert isinstance(answer, nn.Conv2d) and answer.bias is not None
            nn.init.normal_(answer.weight, std=0.01)
            nn.init.zeros_(answer.bias)
            answer.bias.data[::VALUES] = -4.0  # faces are rare: start from "no"

    def forward(self, gathered: Tensor) -> list[Tensor]:
        """One map per stride; channels are two anchors of (score, 4 distances, 10 offsets), unscaled."""
        fine = self.fine(self.stem(gathered))
        middle = self.middle(fine)
        features = [fine, middle, self.coarse(middle)]
        above: Tensor | None = None
        merged = []
        for lateral, feature in zip(reversed(self.lateral), reversed(features), strict=True):
            level = lateral(feature)
            if above is not None:
                level = level + functional.interpolate(above, scale_factor=2.0, mode="nearest")
            merged.append(above := level)
        return [
            answer(self.head(level)) for answer, level in zip(self.answers, reversed(merged), strict=True)
        ]


def flatten(answer: Tensor) -> Tensor:
    """One stride's map to its anchors in insightface's order: (B, 30, H, W) to (B, H * W * 2, 15)."""
    return answer.permute(0, 2, 3, 1).reshape(len(answer), -1, VALUES)


def scale(values: Tensor, sizes: Tensor) -> tuple[Tensor, Tensor]:
    """Unscaled answers (..., 15) of anchors of `sizes` (...,) to pixels.

    Returns (left, top, right, bottom) distances (..., 4), never negative, and landmark offsets (..., 10),
    both from the anchor point. Distances grow from the anchor's own half size; offsets are in units of its
    size.
    """
    size = sizes[..., None]
    return values[..., 1:5].clamp(-4, 4).exp() * size / 2, values[..., 5:] * size


def anchors(height: int, width: int) -> tuple[Tensor, Tensor, Tensor]:
    """Anchor points (A, 2) as (x, y), their sizes (A,) and strides (A,), in pixels, insightface's order."""
    points, sizes, strides = [], [], []
    for stride, pair in zip(STRIDES, ANCHOR_SIZES, strict=True):
        ys, xs = torch.meshgrid(torch.arange(height // stride), torch.arange(width // stride), indexing="ij")
        cells = torch.stack([xs, ys], dim=-1).reshape(-1, 1, 2).expand(-1, 2, -1).reshape(-1, 2)
        points.append(cells.float() * stride)
        sizes.append(torch.tensor(pair).repeat(len(cells) // 2))
        strides.append(torch.full((len(cells),), float(stride)))
    return torch.cat(points), torch.cat(sizes), torch.cat(strides)


class Targets(NamedTuple):
    """Which `face` (B, A) each `positive` anchor answers for, and whether its score is `judged` at all."""

    positive: Tensor
    face: Tensor
    judged: Tensor


@torch.no_grad()
def assign(faces: Tensor, grid: tuple[Tensor, Tensor, Tensor]) -> Targets:
    """Match anchors with faces (B, F, 15): box, landmarks, 1 for a face, -1 for one to ignore, 0 for none."""
    points, sizes, strides = grid
    present = max(1, int((faces[..., 14] != 0).sum(1).max()))
    boxes, flag = faces[:, :present, None, :4], faces[:, :present, None, 14]
    centres = (boxes[..., :2] + boxes[..., 2:]) / 2
    extent = ((boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])).clamp(min=1).sqrt()
    extent = extent.clamp(ANCHOR_SIZES[0][0], ANCHOR_SIZES[-1][1])
    octaves = (extent / sizes).log2().abs()
    distance = (points - centres).abs().amax(-1) / strides
    near = (distance <= CENTRE_RADIUS) & (flag > 0)
    own = near & (octaves <= OWN_OCTAVES)
    shared = near & (octaves <= SHARED_OCTAVES)
    inside = ((points >= boxes[..., :2]) & (points <= boxes[..., 2:])).all(-1) & (flag < 0)
    cost = torch.where(own, distance + octaves, torch.inf)
    positive = own.any(1)
    return Targets(positive, cost.argmin(1), positive | ~(shared | inside).any(1))


def diou(distances: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """IoU and distance-IoU of boxes given as (N, 4) distances from the same anchors (Zheng et al., 2020)."""
    overlap = torch.minimum(distances, targets)
    wide, high = overlap[:, 0] + overlap[:, 2], overlap[:, 1] + overlap[:, 3]
    inter = wide.clamp(min=0) * high.clamp(min=0)
    area = (distances[:, 0] + distances[:, 2]) * (distances[:, 1] + distances[:, 3])
    true = (targets[:, 0] + targets[:, 2]) * (targets[:, 1] + targets[:, 3])
    iou = inter / (area + true - inter).clamp(min=1e-6)
    hull = torch.maximum(distances, targets)
    diagonal = (hull[:, 0] + hull[:, 2]) ** 2 + (hull[:, 1] + hull[:, 3]) ** 2
    shift = (distances[:, 2:] - distances[:, :2] - targets[:, 2:] + targets[:, :2]) / 2
    return iou, iou - shift.square().sum(1) / diagonal.clamp(min=1e-6)


def detection_loss(
    values: Tensor, faces: Tensor, grid: tuple[Tensor, Tensor, Tensor]
) -> tuple[Tensor, dict[str, float]]:
    """SCRFD's: quality focal loss on scores, distance-IoU on boxes, smooth L1 on landmarks per face size.

    `values` (B, A, 15) are all strides' flattened answers, `faces` as in `assign`, `grid` from `anchors`.
    """
    targets = assign(faces, grid)
    row, anchor = targets.positive.nonzero(as_tuple=True)
    truth, points = faces[row, targets.face[row, anchor]], grid[0][anchor]
    distances, landmarks = scale(values[row, anchor], grid[1][anchor])
    iou, quality = diou(distances, torch.cat([points - truth[:, :2], truth[:, 2:4] - points], dim=1))
    extent = (truth[:, 2:4] - truth[:, :2]).amax(1, keepdim=True)
    apart = (landmarks - (truth[:, 4:14] - points.repeat(1, 5))) / extent
    logits = values[..., 0]
    goal = torch.zeros_like(logits)
    goal[row, anchor] = iou.detach().clamp(0, 1)
    focal = functional.binary_cross_entropy_with_logits(logits, goal, reduction="none")
    focal = focal * (logits.detach().sigmoid() - goal).square() * targets.judged
    count = max(1, len(row))
    parts = {
        "score": focal.sum() / count,
        "box": 2.0 * (1 - quality).sum() / count,
        "landmarks": 8.0
        * functional.smooth_l1_loss(apart, torch.zeros_like(apart), beta=0.02, reduction="sum")
        / (10 * count),
    }
    logged = {name: float(part.detach()) for name, part in parts.items()} | {
        "iou": float(iou.detach().mean())
    }
    return torch.stack(list(parts.values())).sum(), logged
