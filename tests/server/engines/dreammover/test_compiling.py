"""Compiled models: the same numbers, nothing left uncompiled in between, and machines without a compiler."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from loaded_models import loaded, outputs
from torch._dynamo.utils import counters
from tweenbridge_server.engines.dreammover.attention import AttentionControl, Bank
from tweenbridge_server.engines.dreammover.compiling import compile_parts
from tweenbridge_server.engines.dreammover.model import embed
from tweenbridge_server.engines.dreammover.unet import predict


@pytest.fixture(autouse=True)
def fresh_compiler() -> Iterator[None]:
    """Its settings and what it compiled are the whole process's."""
    counters.clear()
    with torch._dynamo.config.patch(recompile_limit=8, suppress_errors=False):
        yield
    torch._dynamo.reset()


@pytest.mark.slow
def test_compiled_parts_make_the_same_of_inputs_of_any_size(model_folders: dict[str, Path]) -> None:
    model, plain = (loaded(model=str(model_folders["1.x"])) for _ in range(2))
    # The backend "eager" traces as the real one does, and runs what was traced without compiling it for seconds.
    assert compile_parts(model, "eager")
    controls = AttentionControl(model.unet), AttentionControl(plain.unet)
    context, _ = embed(model, "a cat")
    for count, height, width in ((2, 16, 16), (3, 8, 16)):
        latents = torch.randn(count, 4, height, width, generator=torch.Generator().manual_seed(count))
        keyframes = torch.randn(2, 4, height, width, generator=torch.Generator().manual_seed(9))
        made = []
        for each, control in zip((model, plain), controls):
            bank = Bank()
            with torch.inference_mode():
                with control.recording(bank, 1):
                    predict(each, keyframes, 261, context)
                with control.sharing(bank, 1, torch.linspace(0.2, 0.8, count)):
                    made.append(predict(each, latents, 261, context))
        torch.testing.assert_close(made[0], made[1], rtol=0, atol=1e-5)
    torch.testing.assert_close(outputs(model)["decoded"], outputs(plain)["decoded"], rtol=0, atol=1e-5)
    assert counters["stats"]["unique_graphs"] > 10
    assert not counters["graph_break"]


def test_without_a_working_compiler_the_model_stays_as_it_is(
    model_folders: dict[str, Path], caplog: pytest.LogCaptureFixture
) -> None:
    model = loaded(model=str(model_folders["1.x"]))
    with caplog.at_level(logging.WARNING):
        assert not compile_parts(model, "there is no such backend")
    (said,) = caplog.messages
    assert said.startswith("Models are not compiled")
    before = counters["stats"]["unique_graphs"]
    outputs(model)
    assert counters["stats"]["unique_graphs"] == before
