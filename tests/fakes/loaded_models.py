"""Loads models as the engine does, and compares what they make."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge_server.engines.dreammover.devices import choose
from tweenbridge_server.engines.dreammover.identity import find
from tweenbridge_server.engines.dreammover.model import Model, embed, load


def loaded(**settings: str | float) -> Model:
    return load(find(settings), choose("cpu"))


def refusal(**settings: str | float) -> TweenbridgeError:
    with pytest.raises(TweenbridgeError) as caught:
        loaded(**settings)
    assert caught.value.code is ErrorCode.MODEL_FAILED
    assert "\n" not in str(caught.value)
    return caught.value


@torch.no_grad()
def outputs(model: Model) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    latents = torch.randn(2, 4, 16, 16, generator=generator)
    context, _ = embed(model, "a cat, jumping over (a) fence ünter 12")
    return {
        "text": context,
        "unet": model.unet(latents, 261, context.expand(2, -1, -1)).sample,
        "encoded": model.vae.encode(torch.rand(1, 3, 64, 64, generator=generator) * 2 - 1).latent_dist.mean,
        "decoded": model.vae.decode(latents[:1]).sample,
    }


def assert_same(ours: Model, theirs: Model) -> None:
    expected = outputs(theirs)
    for name, value in outputs(ours).items():
        assert value.std() > 0
        torch.testing.assert_close(
            value, expected[name], rtol=0, atol=1e-6, msg=lambda text, name=name: f"{name}: {text}"
        )
