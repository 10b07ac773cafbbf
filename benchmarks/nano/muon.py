"""Muon: momentum made orthogonal, for matrices; AdamW for the rest.

Keller Jordan's method (github.com/KellerJordan/Muon; the iteration's coefficients are his). `torch.optim.Muon` has it
for plain matrices alone and one at a time; here convolutions count as matrices of output channels by all else, and
matrices of one shape are orthogonalised together, which for networks of this size is most of the time saved.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any, Final

import torch
from torch import Tensor, nn

_LEAST_SIDE: Final = 16
"""Smaller matrices have nothing worth making orthogonal."""
_COEFFICIENTS: Final = (3.4445, -4.7750, 2.0315)
_ROUNDS: Final = 4
_LIKE_ADAM: Final = 0.2
"""Root mean square of an update, so that one learning rate serves both kinds (Liu et al. 2025, arXiv 2502.16982)."""
_MOMENTUM: Final = 0.95


def orthogonal(matrices: Tensor) -> Tensor:
    """About the nearest matrices with singular values of one: (n, rows, columns), by Newton-Schulz.

    In bfloat16 on a graphics card; most processors only imitate it.
    """
    a, b, c = _COEFFICIENTS
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    if x.is_cuda:
        x = x.bfloat16()
    for _ in range(_ROUNDS):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    found: Tensor = (x.mT if tall else x).float()
    return found


class Muon(torch.optim.Optimizer):
    """Trains a network; its layers named `ends`, which meet pixels or latents, are left to AdamW like vectors are.

    Args:
        rate: the learning rate; may be changed between steps in `param_groups`.
        second: AdamW's decay of squared gradients.
    """

    def __init__(
        self, network: nn.Module, rate: float, second: float, ends: tuple[str, ...] = ("conv_in", "conv_out")
    ) -> None:
        matrices: list[Tensor] = []
        others: list[Tensor] = []
        for name, weight in network.named_parameters():
            wide = weight.ndim >= 2 and min(weight.shape[0], weight[0].numel()) >= _LEAST_SIDE
            (matrices if wide and not any(end in name for end in ends) else others).append(weight)
        groups: list[dict[str, Any]] = [{"params": matrices, "muon": True}, {"params": others, "muon": False}]
        super().__init__(groups, {"lr": rate, "weight_decay": 1e-3, "betas": (0.9, second)})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One update from the gradients; `closure` is not for this optimiser."""
        assert closure is None
        for group in self.param_groups:
            weights = [weight for weight in group["params"] if weight.grad is not None]
            (self._orthogonal_step if group["muon"] else self._adam_step)(group, weights)

    def _orthogonal_step(self, group: dict[str, Any], weights: list[Tensor]) -> None:
        by_shape: dict[torch.Size, list[tuple[Tensor, Tensor]]] = defaultdict(list)
        for weight in weights:
            grad, state = weight.grad, self.state[weight]
            assert grad is not None
            momentum = state.setdefault("momentum", torch.zeros_like(weight))
            momentum.lerp_(grad, 1 - _MOMENTUM)
            ahead = grad.lerp(momentum, _MOMENTUM).flatten(1)
            by_shape[ahead.shape].append((weight, ahead))
        for shape, together in by_shape.items():
            updates = orthogonal(torch.stack([ahead for _, ahead in together]))
            rate = group["lr"] * _LIKE_ADAM * max(shape) ** 0.5
            for (weight, _), update in zip(together, updates):
                weight.mul_(1 - group["lr"] * group["weight_decay"]).sub_(update.view_as(weight), alpha=rate)

    def _adam_step(self, group: dict[str, Any], weights: list[Tensor]) -> None:
        first, second = group["betas"]
        for weight in weights:
            grad, state = weight.grad, self.state[weight]
            assert grad is not None
            if not state:
                state.update(steps=0, mean=torch.zeros_like(weight), square=torch.zeros_like(weight))
            state["steps"] += 1
            mean, square = state["mean"], state["square"]
            mean.lerp_(grad, 1 - first)
            square.mul_(second).addcmul_(grad, grad, value=1 - second)
            size = (square / (1 - second ** state["steps"])).sqrt_().add_(1e-8)
            weight.addcdiv_(mean, size, value=-group["lr"] / (1 - first ** state["steps"]))
