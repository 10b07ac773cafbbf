"""How many faults, and from which seed: `pytest tests/chaos --faults 1000 --seed 7`."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
for folder in (ROOT, ROOT / "tests", ROOT / "tests" / "fakes"):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


from tests.chaos.keeping import kept  # noqa: E402 - the path is set above

if sys.platform == "win32":
    # Processes are stopped, killed and counted as POSIX has it.
    collect_ignore = ["test_faults.py", "test_crowd.py", "test_leaks.py", "test_mending.py"]


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("chaos")
    group.addoption("--faults", type=int, default=None, help="faults in all, in eras of 40")
    group.addoption("--seed", type=int, default=None, help="seed of the first era; the next one has the next seed")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say last what failed and where it can be looked at."""
    if kept:
        terminalreporter.section("what was kept of failures")
        for sentence in kept:
            terminalreporter.line(sentence)
