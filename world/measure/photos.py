"""Photos as files: scenes drawn at 1024 pixels and coded as JPEG, by all cores.

What does not live here: which scenes are drawn, and what is measured on them.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..render import render
from ..scene import Scene

LONG_SIDE = 1024
_QUALITY = 88
_CHUNK = 8


def photographs(scenes: Sequence[Scene]) -> Iterator[NDArray[np.uint8]]:
    """Each scene as one reads it from disk: uint8 RGB, LONG_SIDE pixels long, with a JPEG's traces."""
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as executor:
        for code in executor.map(_photograph, scenes, chunksize=_CHUNK):
            yield np.asarray(Image.open(io.BytesIO(code)).convert("RGB"))


def _photograph(scene: Scene) -> bytes:
    cv2.setNumThreads(1)
    height = round(LONG_SIDE / max(scene.aspect, 1.0))
    file = io.BytesIO()
    Image.fromarray(render(scene, height)).save(file, "JPEG", quality=_QUALITY)
    return file.getvalue()
