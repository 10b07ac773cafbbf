"""Says so where the tray's tests cannot run."""

from __future__ import annotations

import pytest

from .conftest import HAS_QT


def test_qt_is_there() -> None:
    if not HAS_QT:
        pytest.skip("Qt cannot be loaded here: PySide6, pytest-qt or a system library such as libegl1 is missing.")
    import PySide6

    assert PySide6.__version__ != "6.12.0", "it drops references to None until Python crashes"
