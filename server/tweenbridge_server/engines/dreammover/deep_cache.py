"""Feature caching between steps: the deep half of the U-Net changes slowly, so that it need not run at every step.

DeepCache, Ma et al. 2023, arXiv 2312.00858: what enters the last up block is kept from the last full evaluation; in
between only the first down block and the last up block run.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor


class DeepCache:
    """Evaluates a U-Net for one group of in-betweens: in full every `every` times, beginning with the first."""

    def __init__(self, unet: Any, every: int) -> None:
        self._unet = unet
        self._every = every
        self._turn = 0
        self._deep: Tensor | None = None

    def __call__(self, latents: Tensor, time: Tensor, context: Tensor) -> Tensor:
        """The U-Net's output for latents (N, 4, h, w), of the same shape.

        Args:
            time: time label.
            context: (N, 77, C).
        """
        full = self._deep is None or self._turn % self._every == 0
        self._turn += 1
        return self._full(latents, time, context) if full else self._shallow(latents, time, context)

    def _full(self, latents: Tensor, time: Tensor, context: Tensor) -> Tensor:
        def keep(_: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
            self._deep = named["hidden_states"] if "hidden_states" in named else arguments[0]

        hook = self._unet.up_blocks[-1].register_forward_pre_hook(keep, with_kwargs=True)
        try:
            output: Tensor = self._unet(latents, time, encoder_hidden_states=context, return_dict=False)[0]
            return output
        finally:
            hook.remove()

    def _shallow(self, latents: Tensor, time: Tensor, context: Tensor) -> Tensor:
        unet = self._unet
        moment = unet.time_embedding(unet.time_proj(time.expand(len(latents))).to(latents.dtype))
        hidden = unet.conv_in(latents)
        skips = [hidden]
        block = unet.down_blocks[0]
        for resnet, attention in zip(block.resnets, block.attentions):
            hidden = attention(resnet(hidden, moment), encoder_hidden_states=context, return_dict=False)[0]
            skips.append(hidden)
        hidden = unet.up_blocks[-1](
            hidden_states=self._deep,
            temb=moment,
            res_hidden_states_tuple=tuple(skips),
            encoder_hidden_states=context,
        )
        output: Tensor = unet.conv_out(unet.conv_act(unet.conv_norm_out(hidden)))
        return output
