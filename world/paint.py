"""Antialiased painting of polygons in photo units, on pixels or on an identity mask.

What lives here: surfaces and the pen to draw with. What does not: any knowledge of what is drawn.

A photo is 1 high and `aspect` wide, y pointing down. Every shape is a polygon, so the same drawing code
yields pixels, masks and exact bounds at any size and for any part of the photo.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

Color: TypeAlias = tuple[float, float, float]
Points: TypeAlias = NDArray[np.float64]
Box: TypeAlias = tuple[float, float, float, float]

_SHIFT = 4  # OpenCV takes polygon corners as fixed-point numbers with this many fractional bits


def shade(color: Color, factor: float) -> Color:
    """Darken (factor < 1) or lighten towards white (factor > 1) a colour."""
    if factor <= 1:
        return (color[0] * factor, color[1] * factor, color[2] * factor)
    t = factor - 1
    return (color[0] + (255 - color[0]) * t, color[1] + (255 - color[1]) * t, color[2] + (255 - color[2]) * t)


def mix(a: Color, b: Color, t: float) -> Color:
    """Linear blend from `a` (t = 0) to `b` (t = 1)."""
    return (a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t, a[2] + (b[2] - a[2]) * t)


class Surface:
    """Pixels of a view of the photo, painted at `supersample` times the final size."""

    def __init__(self, size: tuple[int, int], view: Box, supersample: int = 2) -> None:
        width, height = size
        self.size = size
        self.view = view
        self.supersample = supersample
        self._origin = np.array(view[:2])
        self._scale = np.array([width / (view[2] - view[0]), height / (view[3] - view[1])]) * supersample
        self._detail = float(self._scale[1])
        self._fixed_scale = self._scale * (1 << _SHIFT)
        # The centre of the first pixel is OpenCV's (0, 0).
        self._fixed_origin = self._origin * self._fixed_scale + (1 << _SHIFT) / 2
        self.pixels: NDArray[np.uint8] = np.zeros((height * supersample, width * supersample, 3), np.uint8)

    @property
    def detail(self) -> float:
        """Painted pixels per photo unit: what is much smaller than a pixel need not be drawn."""
        return self._detail

    def fixed(self, points: Points) -> NDArray[np.int32]:
        """Photo units to OpenCV's fixed-point pixel coordinates."""
        return np.rint(points * self._fixed_scale - self._fixed_origin).astype(np.int32)

    def fill(self, points: Points, color: Color, alpha: float = 1.0) -> None:
        """Paint one closed polygon, (N, 2) photo units."""
        corners = self.fixed(points)
        (x_low, y_low), (x_high, y_high) = np.minimum.reduce(corners), np.maximum.reduce(corners)
        height, width = self.pixels.shape[:2]
        if x_high < 0 or y_high < 0 or x_low > width << _SHIFT or y_low > height << _SHIFT:
            return
        if alpha >= 1.0:
            cv2.fillPoly(self.pixels, [corners], color, cv2.LINE_AA, _SHIFT)
            return
        x0, y0 = max(int(x_low >> _SHIFT) - 1, 0), max(int(y_low >> _SHIFT) - 1, 0)
        x1, y1 = min(int(x_high >> _SHIFT) + 2, width), min(int(y_high >> _SHIFT) + 2, height)
        region = self.pixels[y0:y1, x0:x1]
        painted = region.copy()
        cv2.fillPoly(
            painted, [corners - np.array([x0, y0], np.int32) * (1 << _SHIFT)], color, cv2.LINE_AA, _SHIFT
        )
        cv2.addWeighted(painted, alpha, region, 1 - alpha, 0, dst=region)

    def gradient(self, box: Box, top: Color, bottom: Color) -> None:
        """Fill a rectangle (photo units) with a vertical gradient."""
        corners = self.fixed(np.array([box[:2], box[2:]])) >> _SHIFT
        height, width = self.pixels.shape[:2]
        x0, x1 = max(int(corners[0, 0]) + 1, 0), min(int(corners[1, 0]) + 1, width)
        y0, y1 = int(corners[0, 1]) + 1, int(corners[1, 1]) + 1
        first, last = max(y0, 0), min(y1, height)
        if first >= last or x0 >= x1:
            return
        t = ((np.arange(first, last) - y0) / max(y1 - y0, 1))[:, None, None]
        column = np.asarray(top) * (1 - t) + np.asarray(bottom) * t
        self.pixels[first:last, x0:x1] = column.astype(np.uint8)  # cast once, not per pixel

    @contextmanager
    def clipped(self, points: Points) -> Iterator[None]:
        """Keep what is painted inside the block only where the polygon is."""
        corners = self.fixed(points)
        height, width = self.pixels.shape[:2]
        low, high = corners.min(axis=0) >> _SHIFT, (corners.max(axis=0) >> _SHIFT) + 2
        x0, y0 = max(int(low[0]), 0), max(int(low[1]), 0)
        x1, y1 = min(int(high[0]), width), min(int(high[1]), height)
        if x0 >= x1 or y0 >= y1:
            yield
            return
        before = self.pixels.copy()
        yield
        kept = before[y0:y1, x0:x1].astype(np.uint16)
        painted = self.pixels[y0:y1, x0:x1].astype(np.uint16)
        mask = np.zeros(kept.shape[:2], np.uint8)
        cv2.fillPoly(mask, [corners - np.array([x0, y0], np.int32) * (1 << _SHIFT)], 255, cv2.LINE_AA, _SHIFT)
        weight = mask[..., None].astype(np.uint16)
        before[y0:y1, x0:x1] = (painted * weight + kept * (255 - weight)) // 255
        self.pixels[:] = before

    def finish(self) -> NDArray[np.uint8]:
        """The picture at its final size, uint8 RGB (H, W, 3)."""
        if self.supersample == 1:
            return self.pixels
        return np.asarray(cv2.resize(self.pixels, self.size, interpolation=cv2.INTER_AREA), np.uint8)


class Mask(Surface):
    """Which actor owns each pixel: uint8 ids, no antialiasing, nothing translucent."""

    def __init__(self, size: tuple[int, int], view: Box) -> None:
        super().__init__(size, view, supersample=1)
        self.ids: NDArray[np.uint8] = np.zeros((size[1], size[0]), np.uint8)
        self.current = 0
        self.bounds: list[float] = [np.inf, np.inf, -np.inf, -np.inf]

    def fill(self, points: Points, color: Color, alpha: float = 1.0) -> None:
        """Give the polygon's pixels to the current actor."""
        if alpha >= 1.0:
            self._note_bounds(points)
            cv2.fillPoly(self.ids, [self.fixed(points)], self.current, cv2.LINE_8, _SHIFT)

    def gradient(self, box: Box, top: Color, bottom: Color) -> None:
        """Backgrounds belong to nobody."""

    @contextmanager
    def clipped(self, points: Points) -> Iterator[None]:
        """A pattern never reaches beyond the body it is painted on: leave ids and bounds as they were."""
        ids, bounds = self.ids.copy(), list(self.bounds)
        yield
        self.ids, self.bounds = ids, bounds

    def take_bounds(self) -> Box | None:
        """Bounds (photo units) of the opaque shapes painted since the last call; None if there were none."""
        x0, y0, x1, y1 = self.bounds
        self.bounds = [np.inf, np.inf, -np.inf, -np.inf]
        return None if x0 > x1 else (x0, y0, x1, y1)

    def _note_bounds(self, points: Points) -> None:
        (x0, y0), (x1, y1) = np.minimum.reduce(points), np.maximum.reduce(points)
        b = self.bounds
        self.bounds = [min(b[0], x0), min(b[1], y0), max(b[2], x1), max(b[3], y1)]


def _corners(radius: float) -> int:
    """How many corners make a circle of that many pixels look round."""
    return 6 if radius < 1.5 else 10 if radius < 4 else 20 if radius < 16 else 48


@functools.cache
def _circle(corners: int) -> Points:
    angle = np.arange(corners) * (2 * np.pi / corners)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


@functools.cache
def _half_circle(corners: int) -> Points:
    """The half of the unit circle at u <= 0, from v = 1 to v = -1."""
    angle = np.linspace(np.pi / 2, 3 * np.pi / 2, corners)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


@functools.cache
def _spline_basis(steps: int) -> NDArray[np.float64]:
    t = (np.arange(steps) / steps)[:, None]
    powers = np.concatenate([np.ones_like(t), t, t**2, t**3], axis=1)
    catmull_rom = 0.5 * np.array([[0, 2, 0, 0], [-1, 0, 1, 0], [2, -5, 4, -1], [-1, 3, -3, 1]])
    return np.asarray(powers @ catmull_rom)


@dataclass(frozen=True)
class Pen:
    """Draws in a local frame (u right, v down): photo = origin + matrix @ local."""

    surface: Surface
    origin: Points
    matrix: NDArray[np.float64]

    @classmethod
    def at(cls, surface: Surface, x: float, y: float, scale: float, flip: bool = False) -> Pen:
        """A pen whose unit is `scale` photo units, with its origin at (x, y), mirrored if `flip`."""
        return cls(surface, np.array([x, y]), np.array([[-scale if flip else scale, 0.0], [0.0, scale]]))

    def moved(self, u: float, v: float, scale: float = 1.0, angle: float = 0.0) -> Pen:
        """A pen at a local point, scaled and turned by `angle` radians (clockwise on the picture)."""
        c, s = np.cos(angle) * scale, np.sin(angle) * scale
        return Pen(self.surface, self.place(u, v), self.matrix @ np.array([[c, -s], [s, c]]))

    def place(self, u: float, v: float) -> Points:
        """A local point in photo units, shape (2,)."""
        return np.asarray(self.origin + self.matrix @ np.array([u, v]))

    def map(self, points: Points) -> Points:
        """Local points (N, 2) in photo units."""
        return np.asarray(points @ self.matrix.T + self.origin)

    def pixels(self, length: float) -> float:
        """How many painted pixels a local length covers."""
        (a, b), (c, d) = self.matrix.tolist()
        return length * math.sqrt(abs(a * d - b * c)) * self.surface.detail

    def polygon(
        self, points: Sequence[tuple[float, float]] | Points, color: Color, alpha: float = 1.0
    ) -> None:
        """A closed polygon through local points."""
        self.surface.fill(self.map(np.asarray(points, float)), color, alpha)

    def rect(self, u0: float, v0: float, u1: float, v1: float, color: Color, alpha: float = 1.0) -> None:
        """A rectangle between two local corners."""
        self.polygon([(u0, v0), (u1, v0), (u1, v1), (u0, v1)], color, alpha)

    def ellipse(self, u: float, v: float, ru: float, rv: float, color: Color, alpha: float = 1.0) -> None:
        """An upright ellipse in the local frame; one far smaller than a pixel is left out."""
        if self.pixels(max(ru, rv)) < 0.3:
            return
        self.surface.fill(self.map(self.ellipse_points(u, v, ru, rv)), color, alpha)

    def ring(self, outline: Points, thickness: float, color: Color) -> None:
        """A closed band `thickness` wide inside a convex outline (N, 2), drawn as one polygon with a slit."""
        middle = outline.mean(axis=0)
        reach = np.maximum(np.hypot(*(outline - middle).T), 1e-9)[:, None]
        inner = middle + (outline - middle) * np.maximum(1 - thickness / reach, 0.0)
        self.polygon(np.concatenate([outline, outline[:1], inner[:1], inner[::-1]]), color)

    def ellipse_points(self, u: float, v: float, ru: float, rv: float) -> Points:
        """Corners of an ellipse, as many as its size on the surface deserves."""
        return _circle(_corners(self.pixels(max(ru, rv)))) * np.array([ru, rv]) + np.array([u, v])

    def curve_points(self, points: Sequence[tuple[float, float]] | Points) -> Points:
        """A smooth closed curve (Catmull-Rom) through local control points."""
        p = np.asarray(points, float)
        steps = 4 if self.pixels(float(np.ptp(p, axis=0).max())) < 60 else 9
        count = np.arange(len(p))
        windows = p[(count[:, None] + np.array([-1, 0, 1, 2])) % len(p)]
        return np.asarray(np.matmul(_spline_basis(steps), windows).reshape(-1, 2))

    def blob(self, points: Sequence[tuple[float, float]] | Points, color: Color, alpha: float = 1.0) -> None:
        """A smooth closed shape through local control points."""
        self.surface.fill(self.map(self.curve_points(points)), color, alpha)

    def limb(
        self,
        start: tuple[float, float],
        end: tuple[float, float],
        radius: float,
        color: Color,
        end_radius: float | None = None,
        alpha: float = 1.0,
    ) -> None:
        """A line with round ends, `radius` thick on each side, optionally tapering to `end_radius`."""
        du, dv = end[0] - start[0], end[1] - start[1]
        length = math.hypot(du, dv) or 1.0
        along, across = (du / length, dv / length), (-dv / length, du / length)
        cap = _half_circle(_corners(self.pixels(radius)) // 2 + 1) @ np.array([along, across])
        outline = np.concatenate(
            [cap * radius + start, cap * -(radius if end_radius is None else end_radius) + end]
        )
        self.surface.fill(self.map(outline), color, alpha)

    def line(self, points: Sequence[tuple[float, float]], radius: float, color: Color) -> None:
        """A polyline with round joints."""
        for start, end in itertools.pairwise(points):
            self.limb(start, end, radius, color)
