"""Attention control: in-betweens look at the keyframes' keys and values instead of their own.

DreamMover (arXiv 2409.09605), self-attention concatenation and replacement: in every self-attention layer of the last
two up blocks, an in-between's queries meet the tokens of both keyframes, one behind the other. The keyframes' keys and
values lie in a bank, one entry for each step, so that in-betweens can be computed in groups of any size.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

CONTROLLED_BLOCKS = ("up_blocks.2.", "up_blocks.3.")
_EXTRA = 8
"""Channels added to every head to weigh the keyframes: two are used, eight keep the fused kernels' alignment."""

KeysAndValues = tuple[Tensor, Tensor]
"""Of both keyframes, one behind the other: (1, 2n, C) each."""


@dataclass
class Bank:
    """Keys and values of both keyframes: by step, then by layer."""

    steps: dict[int, dict[str, KeysAndValues]] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes."""
        layers = [pair for step in self.steps.values() for pair in step.values()]
        return sum(part.element_size() * part.nelement() for pair in layers for part in pair)

    def move(self, device: torch.device) -> None:
        """Keep everything on another device."""
        for step in self.steps.values():
            for layer, (keys, values) in step.items():
                step[layer] = (keys.to(device), values.to(device))


class AttentionControl:
    """Switches the controlled self-attention layers of one U-Net. Outside `recording` and `sharing` they are plain."""

    def __init__(self, unet: nn.Module) -> None:
        """Take over the layers of the last two up blocks; everything else stays as it is."""
        self._writes: dict[str, KeysAndValues] | None = None
        self._reads: dict[str, KeysAndValues] | None = None
        self._bias: Tensor | None = None
        processors: dict[str, Any] = {}
        for name, processor in unet.attn_processors.items():  # type: ignore[operator, union-attr]
            controlled = name.startswith(CONTROLLED_BLOCKS) and ".attn1." in name
            processors[name] = _Processor(self, name) if controlled else processor
        unet.set_attn_processor(processors)  # type: ignore[operator]

    @contextmanager
    def recording(self, bank: Bank, step: int) -> Iterator[None]:
        """The two keyframes are evaluated, A first: keep their keys and values as those of `step`."""
        self._writes = bank.steps.setdefault(step, {})
        try:
            yield
        finally:
            self._writes = None

    @contextmanager
    def sharing(self, bank: Bank, step: int, times: Tensor | None) -> Iterator[None]:
        """In-betweens are evaluated: they look at the keyframes' keys and values of `step`.

        Args:
            times: (N,) of the in-betweens; the nearer keyframe's tokens then count by how near it is. None: both count
                the same at every time.
        """
        self._reads = bank.steps[step]
        self._bias = None if times is None else torch.stack([torch.log1p(-times), torch.log(times)], 1)
        try:
            yield
        finally:
            self._reads = self._bias = None

    def attend(self, layer: str, attention: Any, tokens: Tensor) -> Tensor:
        """One layer's self-attention of `tokens` (N, n, C), before the projection out."""
        heads = attention.heads
        query = _split(attention.to_q(tokens), heads)
        if self._reads is not None:
            keys, values = (part.to(tokens.device) for part in self._reads[layer])
            return _joined(_attend_to_keyframes(query, _split(keys, heads), _split(values, heads), self._bias))
        keys, values = attention.to_k(tokens), attention.to_v(tokens)
        if self._writes is not None:
            self._writes[layer] = (keys.reshape(1, -1, keys.shape[-1]), values.reshape(1, -1, values.shape[-1]))
        return _joined(functional.scaled_dot_product_attention(query, _split(keys, heads), _split(values, heads)))


class _Processor:
    """What diffusers calls in place of a layer's own arithmetic."""

    def __init__(self, control: AttentionControl, layer: str) -> None:
        self._control = control
        self._layer = layer

    def __call__(self, attn: Any, hidden_states: Tensor, *_: Any, **__: Any) -> Tensor:
        """Self-attention of (N, n, C) tokens; masks and contexts do not occur in these layers."""
        seen = self._control.attend(self._layer, attn, hidden_states)
        projected: Tensor = attn.to_out[1](attn.to_out[0](seen))
        return projected


def _split(tokens: Tensor, heads: int) -> Tensor:
    """(N, n, C) to (N, heads, n, C / heads)."""
    count, length, channels = tokens.shape
    return tokens.reshape(count, length, heads, channels // heads).transpose(1, 2)


def _joined(heads: Tensor) -> Tensor:
    """(N, heads, n, d) to (N, n, heads * d)."""
    count, _, length, _ = heads.shape
    return heads.transpose(1, 2).reshape(count, length, -1)


def _attend_to_keyframes(query: Tensor, keys: Tensor, values: Tensor, bias: Tensor | None) -> Tensor:
    """Queries (N, heads, n, d) meet the keyframes' tokens (1, heads, 2n, d), each half weighed by exp(bias) (N, 2).

    The bias is a scalar product of its own: the queries carry log-weights in channels in which the keys tell the
    halves apart. A mask would do the same, but rule the fused kernels out.
    """
    count, _, _, depth = query.shape
    if bias is not None:
        weights = bias.to(query.dtype).mul(math.sqrt(depth)).reshape(count, 1, 1, 2)
        query = functional.pad(query, (0, _EXTRA))
        query[..., depth : depth + 2] = weights
        half = keys.shape[2] // 2
        keys, values = functional.pad(keys, (0, _EXTRA)), functional.pad(values, (0, _EXTRA))
        keys[..., :half, depth] = 1
        keys[..., half:, depth + 1] = 1
    seen = functional.scaled_dot_product_attention(
        query, keys.expand(count, -1, -1, -1), values.expand(count, -1, -1, -1), scale=1 / math.sqrt(depth)
    )
    return seen[..., :depth]
