"""Reading the tensors of a PyTorch checkpoint, and saying why where that can't be done.

torch's restricted reader is used, which builds tensors and nothing else: no checkpoint runs code here.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..schemas.errors import ModelDamaged
from ..schemas.paths import to_text

if TYPE_CHECKING:
    from torch import Tensor

_HARMLESS = (bool, int, float, str, type(None))  # counters, versions, names: no weights
_AGAIN = "fetch it again, a pack's with: myvlm-tag models pull PACK"
_OTHERWISE = "get its weights as safetensors, a pack's with: myvlm-tag models pull PACK"
_OLD_PICKLES = 5  # that checkpoints from before torch 1.6 begin with
_OLD_BYTES = 1 << 26  # no names of tensors fill that


def read_tensors(checkpoint: Path, say: Callable[[str], None] = lambda line: None) -> dict[str, Tensor]:
    """The tensors of a checkpoint by name, each in memory of its own.

    Numbers and words among them are left out, and said. Raises ModelDamaged if the file can't be read, if
    reading it would take more than building tensors, or if things in it would get lost.
    """
    from torch import Tensor

    held = _load(checkpoint)
    for name in ("state_dict", "model"):
        inner = held.get(name) if isinstance(held, dict) else None
        held = inner if isinstance(inner, dict) else held
    if not isinstance(held, dict):
        raise ModelDamaged(f"{to_text(checkpoint)} holds a {type(held).__name__}, not a model", _OTHERWISE)
    tensors = {name: value for name, value in held.items() if isinstance(value, Tensor)}
    rest = {name: value for name, value in held.items() if name not in tensors}
    for name, value in rest.items():
        if not isinstance(value, _HARMLESS):
            cause = f"{to_text(checkpoint)} holds more than tensors: {name!r} is a {type(value).__name__}"
            raise ModelDamaged(cause, _OTHERWISE)
    if not tensors:
        raise ModelDamaged(f"{to_text(checkpoint)} holds no tensors", _OTHERWISE)
    if rest:
        say(f"{checkpoint.name}: left out {', '.join(map(str, rest))}, which are no tensors")
    return {name: tensor.contiguous().clone() for name, tensor in tensors.items()}


def _load(checkpoint: Path) -> Any:
    import torch

    try:
        with warnings.catch_warnings(action="ignore"):  # the errors say it all
            return torch.load(checkpoint, map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except PermissionError as error:
        words = to_text(checkpoint)
        raise ModelDamaged(f"{words} can't be read: {error.strerror}", f"chmod u+r {words}") from error
    except Exception as error:  # of many kinds, and of the same kind for both causes
        if _holds_more(checkpoint, error):
            cause = f"{to_text(checkpoint)} holds more than tensors; it is not opened"
            raise ModelDamaged(cause, _OTHERWISE) from error
        cause = f"{to_text(checkpoint)} can't be read: it is cut short, damaged, or no checkpoint"
        raise ModelDamaged(cause, _AGAIN) from error


def _holds_more(checkpoint: Path, error: Exception) -> bool:
    """Whether torch refused what the file says, rather than failed to make sense of it.

    Its words for the two change and its errors are the same; but the pickles of a file that it refused go to
    their end. A program (TorchScript) is told by the file that only those have.
    """
    try:
        with zipfile.ZipFile(checkpoint) as packed:
            names = {name.rpartition("/")[2]: name for name in packed.namelist()}
            if "constants.pkl" in names:
                return True
            pickles = io.BytesIO(packed.read(names["data.pkl"]))
    except zipfile.BadZipFile:
        with checkpoint.open("rb") as file:
            pickles = io.BytesIO(file.read(_OLD_BYTES))
    except KeyError:
        return False
    return isinstance(error, pickle.UnpicklingError) and _go_to_their_end(pickles)


def _go_to_their_end(pickles: io.BytesIO) -> bool:
    try:
        for _ in range(_OLD_PICKLES):
            if pickles.tell() < pickles.getbuffer().nbytes:
                for _ in pickletools.genops(pickles):
                    pass
    except Exception:  # genops raises whatever its operands do
        return False
    return True
