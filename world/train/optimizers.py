"""Muon for the matrices inside transformer layers, AdamW for everything else, as one optimizer.

Muon (Jordan et al., 2024) makes each matrix's update orthogonal; `match_rms_adamw` scales its step to
AdamW's (Liu et al., "Muon is scalable for LLM training", 2025). What does not live here: schedules and
checkpoints.
"""

from __future__ import annotations

import re
from typing import Any

import torch
from torch import nn

_MUON_FACTOR = 4.0  # matrices of this size take far larger orthogonal steps than AdamW's


class MuonAndAdamW:
    """What a training loop and `checkpoint` need of an optimizer.

    Parameters whose names begin with `slow` learn at `slow_factor` of the rate: parts that were trained
    before.
    """

    def __init__(
        self, model: nn.Module, rate: float, weight_decay: float, slow: str = "", slow_factor: float = 1.0
    ) -> None:
        groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                matrix = re.search(r"\.layers?\.", name) is not None and parameter.ndim == 2
                groups.setdefault((matrix, bool(slow) and name.startswith(slow)), []).append(parameter)
        self._parts: list[torch.optim.Optimizer] = []
        self._factors: list[float] = []
        for (matrix, is_slow), parameters in sorted(groups.items(), key=lambda item: item[0]):
            self._factors.append((_MUON_FACTOR if matrix else 1.0) * (slow_factor if is_slow else 1.0))
            self._parts.append(
                torch.optim.Muon(parameters, rate, weight_decay, adjust_lr_fn="match_rms_adamw")
                if matrix
                else torch.optim.AdamW(parameters, rate, (0.9, 0.98), weight_decay=weight_decay, fused=True)
            )

    def set_rate(self, rate: float) -> None:
        """Use this learning rate from now on."""
        for part, factor in zip(self._parts, self._factors, strict=True):
            for group in part.param_groups:
                group["lr"] = rate * factor

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for part in self._parts:
            part.zero_grad(set_to_none=True)

    def step(self) -> None:
        """Update all parameters."""
        for part in self._parts:
            part.step()

    def state_dict(self) -> dict[str, Any]:
        """The moments, numbered through all parts."""
        state: dict[int, Any] = {}
        for part, offset in zip(self._parts, self._offsets(), strict=True):
            state |= {offset + index: moments for index, moments in part.state_dict()["state"].items()}
        return {"state": state, "param_groups": []}

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Take over what `state_dict` gave."""
        ends = [*self._offsets()[1:], 1 << 30]
        for part, offset, end in zip(self._parts, self._offsets(), ends, strict=True):
            own = {index - offset: m for index, m in saved["state"].items() if offset <= index < end}
            part.load_state_dict({"state": own, "param_groups": part.state_dict()["param_groups"]})

    def _offsets(self) -> list[int]:
        sizes = [len(part.param_groups[0]["params"]) for part in self._parts]
        return [sum(sizes[:index]) for index in range(len(sizes))]
