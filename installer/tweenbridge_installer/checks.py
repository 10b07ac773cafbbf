"""The project's own checks, as `bootstrap.py test` runs them: formatting, lint, types, then the tests."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

TYPED = ("bootstrap.py", "shared", "server", "installer", "benchmarks", "plugins")
"""What the type checker reads."""


def commands(root: Path) -> tuple[tuple[str, list[str]], ...]:
    """The checks before the tests: what each is called, and how Python is asked to run it."""
    typed = [name for name in TYPED if (root / name).is_file() or any((root / name).rglob("*.py"))]
    return (
        ("lint", ["-m", "ruff", "check", "."]),
        ("format", ["-m", "ruff", "format", "--check", "."]),
        ("types", ["-m", "mypy", *typed]),
    )


def shared_out(pytest_arguments: Sequence[str], cores: int) -> list[str]:
    """What has pytest run the whole suite as two processes: many tests wait for others. [] where some tests are named,
    there is one core, or the arguments say something of it themselves. Files stay whole: their fixtures are made once.
    """
    named = any(not argument.startswith("-") for argument in pytest_arguments)
    said = any(argument.startswith(("-n", "--numprocesses", "--pdb", "-k", "-m")) for argument in pytest_arguments)
    return [] if named or said or cores < 2 else ["-n", "2", "--dist", "loadfile"]


def run(python: Path, root: Path, pytest_arguments: Sequence[str]) -> int:
    """Run all checks in the checkout at `root`, going on after a failed one. Returns 0 when all passed.

    pytest comes last, so that its summary is the last line.
    """
    failed = []
    for name, arguments in commands(root):
        started = time.monotonic()
        result = subprocess.run(
            [str(python), *arguments],
            cwd=root,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        verdict = "ok" if result.returncode == 0 else "FAILED"
        print(f"{name}: {verdict} ({time.monotonic() - started:.1f} s)", flush=True)
        if result.returncode != 0:
            failed.append(name)
            print(result.stdout, flush=True)
    if failed:
        print(f"Not in order: {', '.join(failed)} (see above). The tests run all the same.", flush=True)
    shared = shared_out(pytest_arguments, os.cpu_count() or 1)
    status = subprocess.run([str(python), "-m", "pytest", *shared, *pytest_arguments], cwd=root, check=False).returncode
    return status or (1 if failed else 0)
