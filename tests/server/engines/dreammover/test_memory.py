"""What fits into memory, and what happens when it does not: faults are injected where a device would raise them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge_server.engines.dreammover.devices import Device
from tweenbridge_server.engines.dreammover.identity import ModelKind, ModelSource
from tweenbridge_server.engines.dreammover.memory import Chunk, check_room, frames_at_once, run_chunked

GIB = 2**30
DEVICE = Device(torch.device("cuda"), torch.float16, torch.float32, "A GPU", 24 * GIB, lambda: 20 * GIB)
SD15: Any = SimpleNamespace(
    unet=SimpleNamespace(config=SimpleNamespace(block_out_channels=(320, 640, 1280, 1280), attention_head_dim=8))
)
AS_DEVICES_SAY_IT = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    RuntimeError("MPS backend out of memory (MPS allocated: 17.54 GB). Tried to allocate 1.20 GB on private pool."),
    RuntimeError("Invalid buffer size: 16.00 GiB"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate memory: you tried"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:80] . DefaultCPUAllocator: not enough memory: you tried to allocate"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    MemoryError(),
]


class Processor:
    """Computes squares; has room for so many at once, and frees more when it is asked to, so many times."""

    def __init__(self, room: int, error: BaseException, room_after: Sequence[int] = ()) -> None:
        self.room = room
        self.groups: list[list[int]] = []
        self._error = error
        self._room_after = list(room_after)

    def run(self, items: Sequence[int]) -> list[int]:
        self.groups.append(list(items))
        if len(items) > self.room:
            raise self._error
        return [item**2 for item in items]

    def give_way(self) -> bool:
        if not self._room_after:
            return False
        self.room = self._room_after.pop(0)
        return True


def run(processor: Processor, count: int, chunk: Chunk) -> list[int]:
    groups = run_chunked(range(count), chunk, processor.run, processor.give_way)
    return [value for group in groups for value in group]


@pytest.mark.parametrize("error", AS_DEVICES_SAY_IT, ids=lambda error: str(error)[:30] or "MemoryError")
def test_groups_are_halved_until_they_fit_and_stay_small(error: BaseException) -> None:
    processor, chunk = Processor(room=3, error=error), Chunk(8)
    assert run(processor, 10, chunk) == [i**2 for i in range(10)]
    assert [len(group) for group in processor.groups] == [8, 4, 2, 2, 2, 2, 2]
    processor.groups.clear()
    run(processor, 4, chunk)
    assert [len(group) for group in processor.groups] == [2, 2], "the next gap does not try again what failed"


@settings(max_examples=30)
@given(count=st.integers(0, 40), first=st.integers(1, 50), room=st.integers(1, 50))
def test_every_item_is_computed_once_and_in_order(count: int, first: int, room: int) -> None:
    processor = Processor(room, AS_DEVICES_SAY_IT[0])
    assert run(processor, count, Chunk(first)) == [i**2 for i in range(count)]


def test_what_can_be_brought_back_goes_before_giving_up() -> None:
    processor = Processor(room=0, error=AS_DEVICES_SAY_IT[0], room_after=[0, 1])
    assert run(processor, 3, Chunk(2)) == [0, 1, 4]


def test_when_nothing_helps_the_remedy_names_the_setting() -> None:
    processor = Processor(room=0, error=AS_DEVICES_SAY_IT[0], room_after=[0])
    with pytest.raises(TweenbridgeError) as raised:
        run(processor, 3, Chunk(2))
    assert raised.value.code is ErrorCode.OUT_OF_MEMORY
    assert "working_size" in raised.value.remedy


@pytest.mark.parametrize("error", [RuntimeError("The size of tensor a (4) must match"), KeyError("up_blocks")])
def test_other_errors_pass(error: Exception) -> None:
    processor = Processor(room=0, error=error, room_after=[9])
    with pytest.raises(type(error)):
        run(processor, 3, Chunk(2))
    assert len(processor.groups) == 1


def test_a_failed_group_holds_no_memory_when_the_next_one_runs() -> None:
    alive: list[bool] = []
    held: list[Any] = []

    class Marker:
        def __del__(self) -> None:
            held.clear()

    def run_holding(items: Sequence[int]) -> int:
        alive.append(bool(held))
        marker = Marker()
        held.append(1)
        if len(items) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        del marker
        return 0

    list(run_chunked(range(2), Chunk(2), run_holding, lambda: False))
    assert alive == [False, False, False]


def test_results_come_as_they_are_made() -> None:
    processor = Processor(room=9, error=MemoryError())
    groups = run_chunked(range(6), Chunk(2), processor.run, processor.give_way)
    assert next(groups) == [0, 1] and len(processor.groups) == 1


def frames(free: float, size: tuple[int, int] = (64, 64), bank: int = 0, **different: Any) -> int:
    return frames_at_once(replace(DEVICE, free=lambda: int(free * GIB), **different), SD15, size, bank)


def test_frames_by_free_memory() -> None:
    # 0.0635 GiB a frame (SD 1.5, 512 x 512, half precision), seven tenths of what is free.
    assert frames(0.5) == 5
    assert frames(1.0, bank=int(0.5 * GIB)) == 3
    assert frames(0.5, size=(64, 128)) == 2
    assert frames(1.0, dtype=torch.float32) == 5
    assert frames(0.0) == 1


def test_more_than_keeps_the_device_busy_is_not_taken() -> None:
    assert frames(70.0) == 16
    assert frames(70.0, size=(128, 128)) == 4
    assert frames(70.0, device=torch.device("cpu")) == 1


def test_a_device_that_holds_whole_attention_maps_gets_fewer() -> None:
    assert frames(8.0, device=torch.device("mps")) < frames(8.0) // 2


def checkpoint(path: Path, numbers: int) -> ModelSource:
    """What says that it has so many numbers in its U-Net, and as many again that only training needed."""
    unet, vae = "model.diffusion_model.input_blocks.0.0.weight", "first_stage_model.decoder.conv_in.weight"
    text = "cond_stage_model.transformer.text_model.weight"
    shapes = {unet: [1, 4, numbers // 4, 1], vae: [1], text: [1], "model_ema.all": [numbers]}
    table = {name: {"dtype": "F16", "shape": shape, "data_offsets": [0, 0]} for name, shape in shapes.items()}
    head = json.dumps(table).encode()
    path.write_bytes(len(head).to_bytes(8, "little") + head)
    return ModelSource(path, None, None, 1.0, ModelKind.SINGLE_FILE)


def test_a_model_that_cannot_fit_is_refused_before_it_is_loaded(tmp_path: Path) -> None:
    fits = checkpoint(tmp_path / "fits.safetensors", 9 * GIB)
    check_room(fits, DEVICE)
    with pytest.raises(TweenbridgeError, match=r"needs 38\.7 GB .* only 21\.5 GB are free") as caught:
        check_room(fits, replace(DEVICE, dtype=torch.float32, total=48 * GIB))
    assert caught.value.code is ErrorCode.OUT_OF_MEMORY and "Close other programs" in caught.value.remedy
    with pytest.raises(TweenbridgeError, match=r"and A GPU has 25\.8 GB") as caught:
        check_room(checkpoint(tmp_path / "huge.safetensors", 20 * GIB), DEVICE)
    assert "workers.devices" in caught.value.remedy
    processor = replace(DEVICE, device=torch.device("cpu"), dtype=torch.float32)
    with pytest.raises(TweenbridgeError) as caught:
        check_room(fits, processor)
    assert caught.value.remedy == "Use a smaller model or the flow engine."
