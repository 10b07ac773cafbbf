"""The client on the oldest and the newest interpreter at hand, against the real server on this one.

Host applications bring interpreters of their own. The environments are made once and kept in the user's cache folder.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from fakes.real_server import server_python

ROOT = Path(__file__).resolve().parents[2]
OLDEST = (3, 8)
PACKAGES = ("pyzmq", "msgpack", "pytest", "pytest-random-order", "hypothesis")
FILES = ("test_real_server.py", "test_client.py", "test_package.py", "test_protocol_page.py", "test_job.py")


def _version(program: Path) -> tuple[int, ...]:
    """An interpreter's version; () where it does not run."""
    question = "import sys; print(*sys.version_info[:2])"
    try:
        answer = subprocess.run([program, "-c", question], capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return ()
    return tuple(int(number) for number in answer.stdout.split())


def _interpreters() -> dict[tuple[int, ...], Path]:
    """Interpreters at hand that the client supports, other than this one's version."""
    programs = [*(Path.home() / ".pyenv" / "versions").glob("*/bin/python")]
    programs += [Path(found) for found in (shutil.which(f"python3.{minor}") for minor in range(8, 20)) if found]
    found: dict[tuple[int, ...], Path] = {}
    for program in programs:
        version = _version(program)
        if version >= OLDEST and version != sys.version_info[:2]:
            found.setdefault(version, program)
    return found


def _ends(found: dict[tuple[int, ...], Path]) -> list[Path]:
    return [found[version] for version in sorted({min(found), max(found)})] if found else []


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA") or Path.home() / ".cache"
    return Path(base) / "tweenbridge-tests"


def _python_of(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _environment(program: Path) -> Path:
    """The interpreter of an environment with what the client and its tests need; skips where it cannot be made."""
    folder = _cache() / "python{}.{}".format(*_version(program))
    python = _python_of(folder)
    complete = folder / "complete"
    if complete.exists() and complete.read_text() == " ".join(PACKAGES) and _version(python):
        return python
    shutil.rmtree(folder, ignore_errors=True)
    make = [str(program), "-m", "venv", str(folder)]
    for command in (make, [str(python), "-m", "pip", "install", "-q", *PACKAGES]):
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode:
            pytest.skip(f"There is no environment for {program}: {(result.stderr or result.stdout).strip()[-200:]}")
    complete.write_text(" ".join(PACKAGES))
    return python


AT_HAND: list[Path | None] = [*_ends(_interpreters())] or [None]


@pytest.mark.slow
@pytest.mark.parametrize("program", AT_HAND, ids=lambda program: program.parent.parent.name if program else "none")
def test_the_client_on_another_interpreter(program: Path | None) -> None:
    if "TWEENBRIDGE_TEST_SERVER_PYTHON" in os.environ:
        pytest.skip("This is the other interpreter.")
    if program is None:
        pytest.skip(f"There is no other Python from {OLDEST[0]}.{OLDEST[1]} on to try the client with.")
    python = _environment(program)
    variables = {
        **os.environ,
        "PYTHONPATH": str(ROOT / "shared"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "TWEENBRIDGE_TEST_SERVER_PYTHON": server_python(),
    }
    folder = Path(__file__).parent
    command = [str(python), "-m", "pytest", "-p", "no:cacheprovider", *(str(folder / name) for name in FILES)]
    result = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, timeout=280, check=False)
    assert result.returncode == 0, result.stdout[-5000:]
    assert " passed" in result.stdout
    assert "skipped" not in result.stdout, "the other interpreter has all it needs"
