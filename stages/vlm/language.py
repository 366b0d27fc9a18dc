"""What adapters share whatever their model: loading, what a word costs, how words are drawn and judged.

What does not live here: how a photo, its vectors and the words are put together (`decoder.py`, `blip2.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers.utils import logging as transformers_logging

from ...schemas.errors import ModelDamaged, ModelMissing
from ...schemas.paths import to_text
from .base import IGNORED, Sampling

#: For every `from_pretrained`: from this disk alone, and no code that lies beside the weights.
LOCAL: dict[str, bool] = {"local_files_only": True, "trust_remote_code": False}


def load_pretrained(
    folder: Path,
    title: str,
    read: Callable[[Path, Any], tuple[Any, Any]],
    device: str,
    dtype: torch.dtype | None = None,
) -> tuple[Any, Any]:
    """What `read` makes of a folder: the model, frozen and on its device, and its processor.

    Raises ModelMissing or ModelDamaged.
    """
    if not (folder / "config.json").is_file() or not any(folder.glob("*.safetensors")):
        raise ModelMissing(
            f"there is no {title} (config.json, *.safetensors) in {to_text(folder)}", "myvlm-tag models pull"
        )
    transformers_logging.disable_progress_bar()
    try:
        # 16-bit multiplies well on GPUs only; a CPU converts it back and forth.
        model, processor = read(folder, dtype or ("auto" if device == "cuda" else torch.float32))
    except Exception as error:  # transformers and its parts raise their own kinds
        words = str(error).strip().splitlines() or [type(error).__name__]
        cause = f"the {title} in {to_text(folder)} can't be loaded: {words[0][:200]}"
        raise ModelDamaged(cause, "check it with: myvlm-tag models verify") from error
    return model.to(device).eval().requires_grad_(False), processor


def token_cost(tokenizer: Any, word: str) -> int | None:
    """How many tokens `word` is as part of a sentence; None if the tokenizer doesn't know it."""
    ids = tokenizer(f"a {word}", add_special_tokens=False).input_ids
    unknown = tokenizer.unk_token_id
    return None if unknown in ids else len(ids) - 1


def words_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross entropy of labels (rows, tokens), the mean over rows of the mean over each one's tokens."""
    each = cross_entropy(logits.float().transpose(1, 2), labels, ignore_index=IGNORED, reduction="none")
    return (each.sum(1) / (labels != IGNORED).sum(1)).mean()


def drawing(sampling: Sampling | None) -> dict[str, Any]:
    """The part of `GenerationConfig` that says how words are drawn."""
    if sampling is None:
        return {"do_sample": False}
    return {"do_sample": True, "temperature": sampling.temperature, "top_p": sampling.top_p}
