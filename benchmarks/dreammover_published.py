"""The same in-betweens computed as the published implementation does, for how long that takes; written for this alone.

Three inversions (14, 30 and 30 steps), every pixel's match searched by itself with the feature map resized anew each
time, all frames and both keyframes denoised in one batch with two first evaluations, decoded six at a time; float32,
and attention that holds its whole map. Only convolutions may use TF32, as torch has it by default. Splatting, far below
a thousandth of the time, is left out, and so is emptying the device's memory pool for every pixel: both in favour of
the published way. What repeats is timed for some steps and some pixels, and the rest of it is extrapolated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from stopwatch import REST, Stage, Stopwatch
from torch import Tensor
from torch.nn import functional
from tweenbridge_server.engines.dreammover.memory import Chunk, run_chunked
from tweenbridge_server.engines.dreammover.model import Model

INVERSIONS = (14, 30, 30)
DENOISING = 31
"""Evaluations: thirty steps, the first of them twice."""
_PIXELS = 24
_CONTROLLED = ("up_blocks.2.", "up_blocks.3.")
_MOST_OF_A_MAP = 4 * 2**30
"""Bytes of attention's map at once: a batch's map is taken in parts of that, with the same arithmetic."""


@dataclass
class _Attention:
    """What diffusers calls in place of a layer's arithmetic: the map of every token with every other is held.

    Attributes:
        controlled: while `sharing` holds True, the batch's first and last frames are the keyframes, and those between
            look at the keyframes' tokens instead of their own.
    """

    sharing: list[bool]
    controlled: bool

    def __call__(
        self, attn: Any, hidden_states: Tensor, encoder_hidden_states: Tensor | None = None, **_: Any
    ) -> Tensor:
        query = attn.head_to_batch_dim(attn.to_q(hidden_states))
        source = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        key, value = attn.to_k(source), attn.to_v(source)
        if not (self.controlled and self.sharing[0]):
            seen = _attend(query, attn.head_to_batch_dim(key), attn.head_to_batch_dim(value), attn.scale)
        else:
            heads, count = attn.heads, len(hidden_states)
            both = [torch.cat([each[0], each[-1]])[None].expand(count - 2, -1, -1) for each in (key, value)]
            own = [attn.head_to_batch_dim(each[[0, -1]]) for each in (key, value)]
            ends = _attend(torch.cat([query[:heads], query[-heads:]]), own[0], own[1], attn.scale)
            middle = [attn.head_to_batch_dim(each) for each in both]
            between = _attend(query[heads:-heads], middle[0], middle[1], attn.scale)
            seen = torch.cat([ends[:heads], between, ends[heads:]])
        result: Tensor = attn.to_out[0](attn.batch_to_head_dim(seen))
        return result


def _attend(query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
    part = max(1, _MOST_OF_A_MAP // (query.shape[1] * key.shape[1] * query.element_size()))
    pieces = []
    for q, k, v in zip(*(torch.split(each, part) for each in (query, key, value))):
        pieces.append(torch.bmm(torch.softmax(torch.bmm(q, k.transpose(1, 2)) * scale, -1), v))
    return torch.cat(pieces)


@contextmanager
def _unfused(unet: Any, sharing: list[bool]) -> Iterator[None]:
    before = dict(unet.attn_processors)
    unet.set_attn_processor(
        {name: _Attention(sharing, name.startswith(_CONTROLLED) and ".attn1." in name) for name in before}
    )
    try:
        yield
    finally:
        unet.set_attn_processor(before)


@torch.inference_mode()
def measure(model: Model, size: tuple[int, int], count: int, sampled_steps: int) -> tuple[dict[str, Stage], int]:
    """What the published way takes, stage by stage, and how many frames fitted into memory at once.

    Args:
        model: float32.
        size: (height, width) of the pictures.
        count: in-betweens.
        sampled_steps: of every kind of step so many are timed, after one that is not.
    """
    device, unet, sharing = model.device.device, model.unet, [False]
    h, w = size[0] // 8, size[1] // 8
    random = torch.Generator().manual_seed(0)
    frames = torch.randn(count + 2, 4, h, w, generator=random).to(device)
    pictures = torch.rand(2, 3, *size, generator=random).to(device) * 2 - 1
    words = torch.zeros(1, 77, unet.config.cross_attention_dim, device=device)
    chunk, stages = Chunk(len(frames)), {}

    def evaluate(latents: Tensor) -> Tensor:
        context = words.expand(len(latents), -1, -1)
        noise: Tensor = unet(latents, torch.tensor(281, device=device), encoder_hidden_states=context).sample
        return noise

    def denoise() -> None:
        sharing[0] = True
        list(run_chunked(list(frames), chunk, lambda some: evaluate(torch.stack(list(some))), lambda: False))
        sharing[0] = False

    def take(stage: str, work: Callable[[], object], times: float, samples: int) -> None:
        """A stage that consists of `work`, `times` over, of which `samples` are timed."""
        with Stopwatch(device, unet, count_operations=True) as counted:
            work()
        with Stopwatch(device, unet) as timed:
            for _ in range(samples):
                work()
        cost = counted.stages[REST].scaled(times)
        cost.seconds = timed.stages[REST].seconds * times / samples
        stages[stage] = cost

    with _unfused(unet, sharing):
        take("encode", lambda: model.vae.encode(pictures).latent_dist.mean, len(INVERSIONS), 1)
        take("invert", lambda: evaluate(frames[:2]), sum(INVERSIONS), sampled_steps)
        take("feature", lambda: evaluate(frames[:2]), 1, sampled_steps)
        take("match", lambda: _search(model, (h, w)), 2 * h * w / _PIXELS, 1)
        take("denoise", denoise, DENOISING, sampled_steps)
    take("decode", lambda: model.vae.decode(frames[:6] / model.latent_scale), len(frames) / 6, 1)
    return stages, chunk.size


def _search(model: Model, size: tuple[int, int]) -> None:
    """Matches of some pixels, each by itself as published."""
    channels, (h, w) = model.unet.config.block_out_channels[2], size
    feature = torch.rand(2, channels, h // 2, w // 2, device=model.device.device)
    for number in range(_PIXELS):
        source, target = torch.split(functional.interpolate(feature, size, mode="bilinear"), 1)
        y, x = divmod(number * h * w // _PIXELS, w)
        similar = functional.cosine_similarity(source[:, :, y : y + 1, x : x + 1], target)
        int(similar.flatten().argmax())
