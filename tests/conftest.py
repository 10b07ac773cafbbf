"""Order: quick tests first, so that a mistake shows early; a random one says how to have it again. Qt's plugin where Qt
can be loaded.
"""

from __future__ import annotations

import os
import signal

import pytest
from random_order.config import Config

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("PYTEST_QT_API", "pyside6")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell has what it runs in the background ignore Ctrl-C, and what that starts, too: tests that send it to a
    # process would wait for ever, or see it finish.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _has_qt() -> bool:
    """Whether Qt and its plugin for pytest are there, with the system's libraries that Qt needs."""
    try:
        import PySide6.QtWidgets
        import pytestqt  # noqa: F401
    except ImportError:
        return False
    return PySide6.QtWidgets is not None


pytest_plugins = ["pytestqt.plugin"] if _has_qt() else []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.get_closest_marker("slow") is not None)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    order = Config(config)
    if order.is_enabled:
        terminalreporter.line(
            f"The order was random: --random-order-bucket={order.bucket_type} --random-order-seed={order.seed}"
        )
