"""Muon for the matrices inside transformer layers, AdamW for everything else, as one optimizer.

Muon (Jordan et al., 2024) makes each matrix's update orthogonal; with its step scaled to AdamW's (Liu et al., "Muon is
scalable for LLM training", 2025) both share one learning rate. What does not live here: schedules and checkpoints.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

_MUON_FACTOR = 4.0  # matrices of this size take far larger orthogonal steps than AdamW's


class MuonAndAdamW:
    """What a training loop and `checkpoint` need of an optimizer; state is numbered AdamW's first, then Muon's."""

    def __init__(self, model: nn.Module, rate: float, weight_decay: float) -> None:
        trained = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
        matrices = [p for name, p in trained if ".layers." in name and p.ndim == 2]
        inside = {id(p) for p in matrices}
        rest = [p for _, p in trained if id(p) not in inside]
        adam = torch.optim.AdamW(rest, lr=rate, betas=(0.9, 0.98), weight_decay=weight_decay, fused=True)
        self._parts: list[torch.optim.Optimizer] = [adam]
        if matrices:
            muon = torch.optim.Muon(
                matrices, lr=rate, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw"
            )
            self._parts.append(muon)

    def set_rate(self, rate: float) -> None:
        """Use this learning rate from now on."""
        for part, factor in zip(self._parts, (1.0, _MUON_FACTOR), strict=False):
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
        """The moments by number."""
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
        first = sum(len(group["params"]) for group in self._parts[0].param_groups)
        return [0, first][: len(self._parts)]
