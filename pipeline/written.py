"""Captions that the person wrote: `captions.json` in the folder of photos, or a text file beside a photo."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..schemas.errors import UsageProblem
from ..schemas.paths import to_text

CAPTIONS = "captions.json"


def read_captions(photos: Sequence[Path], listing: Path | None = None) -> dict[Path, tuple[str, ...]]:
    """Return the captions of each photo that has some.

    `listing` is a file like {"1.jpg": ["Anna on a bench", ...]}; by default captions.json beside the photos.
    A photo it doesn't name may have `1.txt` (or `1.jpg.txt`) beside it, one caption per line. Raises
    UsageProblem when a file can't be understood.
    """
    found: dict[Path, tuple[str, ...]] = {}
    listings: dict[Path, dict[str, tuple[str, ...]]] = {}
    for photo in photos:
        source = listing or photo.parent / CAPTIONS
        if source not in listings:
            listings[source] = _read_listing(source, required=listing is not None)
        captions = listings[source].get(photo.name) or _read_text(photo)
        if captions:
            found[photo] = captions
    return found


def _read_listing(path: Path, required: bool) -> dict[str, tuple[str, ...]]:
    if not required and not path.exists():
        return {}
    example = '{"1.jpg": ["Anna on a bench"]}'
    try:
        values: Any = json.loads(path.read_text("utf-8"))
        return {name: _clean([texts] if isinstance(texts, str) else texts) for name, texts in values.items()}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise UsageProblem(
            f"{to_text(path)} can't be read as captions: {error}", f"it should look like {example}"
        ) from error


def _read_text(photo: Path) -> tuple[str, ...]:
    for path in (photo.with_suffix(".txt"), photo.with_name(f"{photo.name}.txt")):
        try:
            return _clean(path.read_text("utf-8-sig").splitlines())
        except FileNotFoundError:
            continue
        except (OSError, UnicodeDecodeError) as error:
            raise UsageProblem(
                f"{to_text(path)} can't be read: {error}", "mend it or move it away"
            ) from error
    return ()


def _clean(texts: Sequence[str]) -> tuple[str, ...]:
    if not all(isinstance(text, str) for text in texts):
        raise TypeError("a caption is no text")
    return tuple(text for text in (" ".join(text.split()) for text in texts) if text)
