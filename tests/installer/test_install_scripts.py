"""install.sh: finds a Python that will do, passes on what it is given, and says what to install where there is none."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.skipif(shutil.which("sh") is None, reason="needs a shell")


def _run(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    shutil.copy(ROOT / "install.sh", folder)
    (folder / "bootstrap.py").write_text("import sys; print(sys.executable, *sys.argv[1:])")
    path = f"{folder / 'bin'}:{folder / 'tools'}"
    return subprocess.run(
        [shutil.which("sh") or "sh", str(folder / "install.sh"), *words], env={"PATH": path, **environment},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a blank in its name, and a PATH with nothing on it but what the script itself needs."""
    folder = tmp_path / "unpacked here"
    (folder / "bin").mkdir(parents=True)
    (folder / "tools").mkdir()
    for tool in ("dirname", "cat"):
        (folder / "tools" / tool).symlink_to(shutil.which(tool) or tool)
    return folder


def _python(folder: Path, name: str, works: bool) -> None:
    path = folder / "bin" / name
    path.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n' if works else "#!/bin/sh\nexit 1\n")
    path.chmod(0o755)


def test_the_first_python_that_will_do_is_taken(folder: Path) -> None:
    _python(folder, "python3.12", works=False)
    _python(folder, "python3", works=True)
    result = _run(folder, "--dry-run", "--only", "two words")
    assert result.returncode == 0
    assert result.stdout.split(maxsplit=1)[1] == "install --dry-run --only two words\n"


def test_a_certain_one_can_be_named(folder: Path) -> None:
    _python(folder, "mine", works=True)
    assert _run(folder, PYTHON=str(folder / "bin/mine")).stdout.endswith("install\n")


def test_without_one_it_says_what_to_install(folder: Path) -> None:
    _python(folder, "python3", works=False)
    result = _run(folder)
    assert result.returncode == 1
    assert "sudo apt install python3 python3-venv" in result.stderr
    assert "https://www.python.org/downloads/" in result.stderr


def test_it_can_be_run_by_its_name() -> None:
    assert os.access(ROOT / "install.sh", os.X_OK)
