"""Every file of tests in host/, inside every Blender version that is to be tested.

`bootstrap.py test` makes the environments; hosts.py runs one file by hand, with pytest's arguments.
"""

from __future__ import annotations

from pathlib import Path

import hosts
import pytest
from random_order.config import Config

HOST = Path(__file__).parent / "host"
FILES = sorted(HOST.rglob("test_*.py"))


@pytest.fixture(scope="session")
def extension(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built zip."""
    return hosts.build_extension(tmp_path_factory.mktemp("extension"))


def _order(config: pytest.Config) -> list[str]:
    """Arguments that have the tests inside Blender come in random order where those outside do, with the same seed."""
    order = Config(config)
    return [f"--random-order-seed={order.seed}"] if order.is_enabled else []


def test_there_is_a_blender_to_test_with() -> None:
    if not hosts.versions():
        pytest.skip("No Blender here: `python3 bootstrap.py test` installs one where a fitting Python is found.")
    assert all(hosts.python_of(version).is_file() for version in hosts.versions())


@pytest.mark.slow
@pytest.mark.timeout(hosts.PATIENCE + 60)
@pytest.mark.parametrize("file", FILES, ids=[file.relative_to(HOST).with_suffix("").as_posix() for file in FILES])
@pytest.mark.parametrize("version", hosts.versions())
def test_in_blender(version: str, file: Path, extension: Path, tmp_path: Path, pytestconfig: pytest.Config) -> None:
    arguments = [str(file), "-rs", *_order(pytestconfig)]
    result = hosts.run(hosts.python_of(version), extension, tmp_path / "run", arguments)
    if result.status != 0:
        pytest.fail(f"{file.name} in Blender {version}: status {result.status}\n{result.output}", pytrace=False)
    print(result.output)
    if "passed" not in result.summary:
        pytest.skip(f"Blender {version}: {result.summary}")


@pytest.mark.skipif(not hosts.versions(), reason="No Blender here.")
@pytest.mark.parametrize(
    ("body", "patience", "status", "words"),
    [
        ("assert 1 + 1 == 3", hosts.PATIENCE, 1, "1 failed"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGABRT)", hosts.PATIENCE, -6, "Fatal Python error"),
        ("import time; time.sleep(60)", 6, hosts.LATE, "killed after 6 s"),
    ],
    ids=["fails", "crashes", "hangs"],
)
def test_what_goes_wrong_inside_is_seen_outside(
    extension: Path, tmp_path: Path, body: str, patience: float, status: int, words: str
) -> None:
    file = tmp_path / "test_wrong.py"
    file.write_text(f"def test_wrong():\n    {body}\n")
    python = hosts.python_of(hosts.versions()[-1])
    result = hosts.run(python, extension, tmp_path / "run", [str(file)], patience)
    assert result.status == status, result.output
    assert words in result.output
