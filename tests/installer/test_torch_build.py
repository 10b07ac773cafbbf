"""Choosing PyTorch's build for a machine."""

from __future__ import annotations

import pytest
from tweenbridge_installer.torch_build import VERSION, Facts, choose_torch, listed, parse_nvidia_smi

PINNED = f"torch=={VERSION}"


@pytest.mark.parametrize(
    ("facts", "first"),
    [
        (Facts("linux", cuda=(13, 0)), "cu130"),
        (Facts("linux", cuda=(12, 8)), "cu128"),
        (Facts("windows", cuda=(12, 7)), "cu126"),
        (Facts("linux", cuda=(12, 2)), "cu118"),
        (Facts("linux", rocm=(6, 4)), "rocm6.4"),
        (Facts("linux", rocm=(7, 0)), "rocm7.0"),
        (Facts("linux", rocm=(0, 0)), "rocm7.2"),
        (Facts("linux"), "cpu"),
        (Facts("windows", rocm=(6, 4)), "cpu"),
        (Facts("linux", cuda=(10, 2)), "cpu"),
        (Facts("darwin"), None),
        (Facts("linux", override="default"), None),
        (Facts("linux", cuda=(13, 0), override="cu128"), "cu128"),
        (Facts("linux", override="rocm6.4"), "rocm6.4"),
        (Facts("darwin", override="cpu"), "cpu"),
    ],
)
def test_the_build_suits_the_machine(facts: Facts, first: str | None) -> None:
    choice = choose_torch(facts)
    assert (choice.builds[0] if choice.builds else None) == first
    assert choice.requirement == PINNED
    assert choice.reason.endswith(".")


def test_a_driver_is_never_given_a_build_of_a_newer_major_version() -> None:
    builds = choose_torch(Facts("linux", cuda=(12, 4))).builds
    assert builds[0] == "cu124"
    assert {"cu126", "cu128"} <= set(builds)
    assert not any(build.startswith("cu13") for build in builds)


def test_an_old_driver_is_named_as_the_reason() -> None:
    assert "driver is too old" in choose_torch(Facts("linux", cuda=(10, 2))).reason


def test_a_requirement_overrides_everything() -> None:
    choice = choose_torch(Facts("linux", cuda=(13, 0), override="torch==2.9.1"))
    assert (choice.requirement, choice.builds) == ("torch==2.9.1", ())


def test_a_senseless_override_is_refused_with_what_it_can_be() -> None:
    with pytest.raises(ValueError, match="it can be cu128 or the like"):
        choose_torch(Facts("linux", override="cuda"))


@pytest.mark.parametrize(
    ("output", "cuda"),
    [
        ("| NVIDIA-SMI 580.65   Driver Version: 580.65   CUDA Version: 13.0  |", (13, 0)),
        ("| Driver Version: 535.104.05   CUDA Version: N/A |", (12, 0)),
        ("| Driver Version: 390.12 |", (10, 0)),
        ("no devices were found", None),
    ],
)
def test_what_nvidia_smi_prints_is_understood(output: str, cuda: tuple[int, int] | None) -> None:
    assert parse_nvidia_smi(output) == cuda


def test_an_index_page_is_searched_for_release_python_and_machine() -> None:
    page = f'<a href="/whl/cu130/torch-{VERSION}%2Bcu130-cp312-cp312-manylinux_2_28_x86_64.whl#sha256=0">'
    assert listed(page, "cp312", "x86_64")
    assert not listed(page, "cp313", "x86_64")
    assert not listed(page, "cp312", "aarch64")
    assert not listed(page.replace(VERSION, "1.0.0"), "cp312", "x86_64")
