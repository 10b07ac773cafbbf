"""The networks of the `flow` engine's `quality` profile, as they are trained.

`Matcher` gives features with which every place of one keyframe is compared with every place of the other. `Arbiter`
looks at both keyframes brought to the in-between and decides which of them to show where, and by how much either is
still off.
"""

from __future__ import annotations

from typing import Any, Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

CELL: Final = 8
"""Pixels to a side of what the matcher describes by one feature."""
FEATURES: Final = 64
_CONTEXT: Final = 96
_HEADS: Final = 4
_SLOPE: Final = 0.1

ARBITER_INPUTS: Final = 24 + 6 + 4 + 2 + 1
"""Channels that the arbiter looks at, at half the working size: see `arbiter_input`."""
PER_PIXEL: Final = 20
"""Channels that it gives at half the size: of each of 2 x 2 pixels four residual flows and one blending weight."""
RESIDUAL_SCALE: Final = 8.0
"""Pixels that a residual of 1 stands for."""
FLOW_SCALE: Final = 16.0
"""Pixels of flow that the arbiter sees as 1."""


def _convolution(inputs: int, outputs: int, stride: int = 1, size: int = 3) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, size, stride, padding=size // 2), nn.LeakyReLU(_SLOPE, inplace=True)
    )


def _silence(layer: nn.Conv2d) -> None:
    """Have it say nothing to begin with."""
    for weight in layer.parameters():
        nn.init.zeros_(weight)


class _Residual(nn.Module):
    """Two convolutions beside a path that leads around them."""

    def __init__(self, channels: int, dilation: int = 1) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=dilation, dilation=dilation)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        self.gain = nn.Parameter(torch.full((1, channels, 1, 1), 0.5))

    def forward(self, x: Tensor) -> Tensor:
        inner = self.second(F.leaky_relu(self.first(x), _SLOPE))
        return F.leaky_relu(x + self.gain * inner, _SLOPE)


class _Attention(nn.Module):
    """Every place asks every place of `other`; what comes of it is added."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm, self.other_norm = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.ask, self.tell = nn.Linear(channels, channels), nn.Linear(channels, 2 * channels)
        self.out = nn.Linear(channels, channels)

    def forward(self, x: Tensor, other: Tensor) -> Tensor:
        n, places, channels = x.shape
        split = (n, -1, _HEADS, channels // _HEADS)
        query = self.ask(self.norm(x)).view(split).transpose(1, 2)
        key, value = self.tell(self.other_norm(other)).chunk(2, dim=2)
        key, value = key.reshape(split).transpose(1, 2), value.reshape(split).transpose(1, 2)
        weight = (query @ key.transpose(2, 3) * (channels // _HEADS) ** -0.5).softmax(3)
        answer: Tensor = x + self.out((weight @ value).transpose(1, 2).reshape(n, places, channels))
        return answer


class _Block(nn.Module):
    """Attention within a keyframe, attention to the other one, and what each place makes of it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.own, self.other = _Attention(channels), _Attention(channels)
        self.norm = nn.LayerNorm(channels)
        self.wide, self.narrow = nn.Linear(channels, 2 * channels), nn.Linear(2 * channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        x = self.own(x, x)
        half = len(x) // 2
        x = self.other(x, torch.cat([x[half:], x[:half]]))
        answer: Tensor = x + self.narrow(F.gelu(self.wide(self.norm(x))))
        return answer


class Matcher(nn.Module):
    """Features for matching over the whole picture, one for each cell of 8 x 8 pixels.

    Convolutions see what is near; at half that resolution, attention within and between the keyframes tells like from
    like by what is around (after Xu et al. 2022, GMFlow, arXiv 2111.13680, section 3.2).
    """

    def __init__(self) -> None:
        super().__init__()
        self.near = nn.Sequential(
            _convolution(3, 24, 2),
            _convolution(24, 32),
            _convolution(32, 48, 2),
            _convolution(48, 48),
            _convolution(48, 80, 2),
            _Residual(80),
            _Residual(80, 2),
            _Residual(80, 4),
            _Residual(80),
        )
        self.project = nn.Conv2d(80, FEATURES, 3, padding=1)
        self.down = nn.Conv2d(80, _CONTEXT, 3, 2, padding=1)
        self.place = nn.Conv2d(_CONTEXT, _CONTEXT, 5, padding=2, groups=_CONTEXT)
        self.blocks = nn.ModuleList(_Block(_CONTEXT) for _ in range(2))
        self.up = nn.Conv2d(_CONTEXT + 80, FEATURES, 1)
        _silence(self.up)
        self.log_sharpness = nn.Parameter(torch.tensor(2.7))

    def forward(self, pictures: Tensor) -> Tensor:
        """Features (2n, 64, h / 8, w / 8), of length exp(log_sharpness / 2), so that products are logits.

        Args:
            pictures: (2n, 3, h, w) in 0 to 1: n times A, then n times B; h and w are multiples of 8.
        """
        near = self.near(pictures - 0.5)
        context = self.down(near)
        context = context + self.place(context)
        n, channels, height, width = context.shape
        tokens = context.flatten(2).transpose(1, 2)
        for block in self.blocks:
            tokens = block(tokens)
        context = tokens.transpose(1, 2).reshape(n, channels, height, width)
        context = F.interpolate(context, size=near.shape[2:], mode="bilinear", align_corners=False)
        found = self.project(near) + self.up(torch.cat([context, near], 1))
        return F.normalize(found.float(), dim=1) * (0.5 * self.log_sharpness).exp()


class Arbiter(nn.Module):
    """A U-Net at half the working size over both keyframes brought to the in-between."""

    def __init__(self, channels: tuple[int, int, int, int] = (32, 48, 64, 96)) -> None:
        super().__init__()
        a, b, c, d = channels
        self.conv_in = nn.Sequential(_convolution(ARBITER_INPUTS, a), _convolution(a, a))
        self.down1 = nn.Sequential(_convolution(a, b, 2), _Residual(b))
        self.down2 = nn.Sequential(_convolution(b, c, 2), _Residual(c))
        self.down3 = nn.Sequential(_convolution(c, d, 2), _Residual(d, 2), _Residual(d))
        self.up2 = nn.Sequential(_convolution(d + c, c), _Residual(c))
        self.up1 = nn.Sequential(_convolution(c + b, b), _Residual(b))
        self.up0 = nn.Sequential(_convolution(b + a, a), _convolution(a, a))
        self.conv_out = nn.Conv2d(a, PER_PIXEL, 3, padding=1)
        _silence(self.conv_out)

    def forward(self, x: Tensor) -> Tensor:
        """(n, 20, h, w) at half the working size; see `residuals`.

        Args:
            x: (n, ARBITER_INPUTS, h, w); h and w are multiples of 8.
        """
        x0 = self.conv_in(x)
        x1 = self.down1(x0)
        x2 = self.down2(x1)
        y = self.up2(torch.cat([_doubled(self.down3(x2)), x2], 1))
        y = self.up1(torch.cat([_doubled(y), x1], 1))
        y = self.up0(torch.cat([_doubled(y), x0], 1))
        out: Tensor = self.conv_out(y)
        return out


def _doubled(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


def arbiter_input(
    of_a: Tensor, of_b: Tensor, a: Tensor, b: Tensor, flow: Tensor, share: Tensor, trust: Tensor
) -> Tensor:
    """What the arbiter looks at: (n, ARBITER_INPUTS, h / 2, w / 2).

    Args:
        of_a, of_b: (n, 3, h, w) the keyframes brought to the in-between, 0 to 1.
        a, b: (n, 3, h, w) the keyframes as they are.
        flow: (n, 4, h, w) from the in-between to its places in A and in B, pixels.
        share: (n, 1, h, w) how much of A is taken.
        trust: (n, 1, h, w) how far that is trusted.
    """
    apart = F.avg_pool2d((of_a - of_b).abs().mean(1, True), 2)
    parts: list[Any] = [
        F.pixel_unshuffle(of_a, 2),
        F.pixel_unshuffle(of_b, 2),
        F.avg_pool2d(a, 2),
        F.avg_pool2d(b, 2),
        F.avg_pool2d(flow, 2) / FLOW_SCALE,
        F.avg_pool2d(share, 2),
        F.avg_pool2d(trust, 2),
        apart,
    ]
    return torch.cat(parts, 1)


def residuals(out: Tensor) -> tuple[Tensor, Tensor]:
    """What the arbiter says, at the working size: flow (n, 4, h, w) to add, in pixels, and what to add to the log odds
    of A (n, 1, h, w)."""
    flow = F.pixel_shuffle(out[:, :16].float(), 2) * RESIDUAL_SCALE
    odds = F.pixel_shuffle(out[:, 16:20].float(), 2)
    return flow, odds
