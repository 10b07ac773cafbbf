"""What is computed on: the best that works, a named one or a clear error; drivers may be broken."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge_server.engines.dreammover import devices
from tweenbridge_server.engines.dreammover.devices import Device, allow_tf32, choose, report

GIB = 2**30


def gpu(name: str, total: int) -> Device:
    return Device(torch.device(name), torch.float16, torch.float32, f"GPU {name}", total, lambda: total // 2)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> dict[str, Device | str]:
    """The accelerators of a machine by name: a device that works, or why it does not."""
    there: dict[str, Device | str] = {}

    def tried(name: str) -> tuple[Device | None, str]:
        found = there.get(name, "it is not there")
        return (None, found) if isinstance(found, str) else (found, "")

    monkeypatch.setattr(devices, "_names", lambda kind: [name for name in there if name.startswith(kind)])
    monkeypatch.setattr(devices, "_try", tried)
    monkeypatch.setattr(devices, "_memory", lambda name: getattr(there[name], "total", 0))
    return there


def test_the_processor_is_always_there(machine: dict[str, Device | str]) -> None:
    for wanted in ("auto", "", "cpu", " CPU "):
        device = choose(wanted)
        assert device.device.type == "cpu"
        assert device.dtype == device.vae_dtype == torch.float32
        assert 0 < device.free() <= device.total


def test_auto_prefers_cuda_then_xpu_then_mps(machine: dict[str, Device | str]) -> None:
    machine["mps"] = gpu("mps", 8 * GIB)
    assert choose("auto").device.type == "mps"
    machine["xpu:0"] = gpu("xpu:0", 8 * GIB)
    assert choose("auto").device.type == "xpu"
    machine["cuda:0"] = gpu("cuda:0", 8 * GIB)
    assert choose("auto").device.type == "cuda"


def test_auto_takes_the_larger_of_two(machine: dict[str, Device | str]) -> None:
    machine["cuda:0"] = gpu("cuda:0", 1 * GIB)
    machine["cuda:1"] = gpu("cuda:1", 24 * GIB)
    assert str(choose("auto").device) == "cuda:1"
    machine["cuda:1"] = "it computes wrongly"
    assert str(choose("auto").device) == "cuda:0"


def test_auto_passes_over_what_is_broken(machine: dict[str, Device | str]) -> None:
    machine["cuda:0"] = "CUDA driver version is insufficient"
    assert choose("auto").device.type == "cpu"
    seen = report()
    assert seen["device"] == "cpu"
    assert {"device": "cuda:0", "works": False, "why": "CUDA driver version is insufficient"} in seen["devices"]


def test_a_named_device_that_is_not_there_is_an_error(machine: dict[str, Device | str]) -> None:
    machine["cuda:0"] = "CUDA driver version is insufficient"
    for wanted, sentence in (
        ("cuda:0", "driver version is insufficient"),
        ("mps", "'mps' cannot be used"),
        ("tpu", "no kind of device called 'tpu'"),
        ("cuda:one", "no kind of device"),
        ("cpu:0", "no kind of device"),
    ):
        with pytest.raises(TweenbridgeError) as caught:
            choose(wanted)
        assert caught.value.code is ErrorCode.BAD_REQUEST
        assert sentence in str(caught.value)
        assert "auto" in caught.value.remedy


def test_a_driver_that_fails_while_it_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object, **more: object) -> int:
        raise RuntimeError("CUDA error: unknown error\nDetails for experts")

    monkeypatch.setattr(torch.cuda, "device_count", fail)
    assert choose("auto").device.type in ("cpu", "mps", "xpu")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch, "ones", fail)
    assert devices._names("cuda") == ["cuda:0"]
    broken = [entry for entry in report()["devices"] if entry["device"] == "cuda:0"]
    assert broken == [{"device": "cuda:0", "works": False, "why": "CUDA error: unknown error"}]
    with pytest.raises(TweenbridgeError, match="unknown error"):
        choose("cuda")


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        ("NVIDIA GeForce GTX 1660 Ti", torch.float32),
        ("NVIDIA GeForce RTX 4090", torch.float16),
        ("AMD Radeon RX 7900 XTX", torch.float16),
    ],
)
def test_number_formats_of_graphics_cards(name: str, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    properties = SimpleNamespace(name=name, total_memory=8 * GIB)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: properties)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (3 * GIB, 8 * GIB))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 2 * GIB)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 1 * GIB)
    device = devices._cuda(torch.device("cuda:0"))
    assert device.dtype == dtype
    assert device.name == name
    assert device.free() == 4 * GIB


def test_formats_that_a_device_lacks() -> None:
    processor = choose("cpu")
    assert devices.computes_in(processor, torch.bfloat16)
    assert not devices.computes_in(processor, torch.float8_e4m3fn)


@pytest.fixture
def tf32_as_before() -> Iterator[None]:
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    yield
    torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before


@pytest.mark.usefixtures("tf32_as_before")
def test_tf32_is_for_convolutions_beside_half_precision_only() -> None:
    half = gpu("cuda:0", GIB)
    allow_tf32(half)
    assert torch.backends.cudnn.allow_tf32
    assert not torch.backends.cuda.matmul.allow_tf32
    allow_tf32(replace(half, dtype=torch.float32))
    assert not torch.backends.cudnn.allow_tf32


def test_doctor_reads_one_line() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "tweenbridge_server.engines.dreammover.devices"],
        capture_output=True,
        text=True,
        check=True,
    )
    (line,) = ran.stdout.splitlines()
    seen = json.loads(line)
    assert seen["torch"] == torch.__version__
    assert {"device", "name", "total", "free", "dtype", "build"} <= seen.keys()
    assert seen["devices"][-1]["device"] == "cpu"
    assert ran.stderr == ""
