"""Every file of tests in host/, inside every Blender version that is to be tested.

`bootstrap.py test` makes the environments; hosts.py runs one file by hand, with pytest's arguments.
"""

from __future__ import annotations

from pathlib import Path

import hosts
import pytest

HOST = Path(__file__).parent / "host"
FILES = sorted(HOST.rglob("test_*.py"))


@pytest.fixture(scope="session")
def extension(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built zip."""
    return hosts.build_extension(tmp_path_factory.mktemp("extension"))


def test_there_is_a_blender_to_test_with() -> None:
    if not hosts.versions():
        pytest.skip("No Blender here: `python3 bootstrap.py test` installs one where a fitting Python is found.")
    assert all(hosts.python_of(version).is_file() for version in hosts.versions())


@pytest.mark.slow
@pytest.mark.timeout(hosts.PATIENCE + 60)
@pytest.mark.parametrize("file", FILES, ids=[file.relative_to(HOST).with_suffix("").as_posix() for file in FILES])
@pytest.mark.parametrize("version", hosts.versions())
def test_in_blender(version: str, file: Path, extension: Path, tmp_path: Path) -> None:
    result = hosts.run(hosts.python_of(version), extension, tmp_path / "run", [str(file), "-rs"])
    print(result.output)
    if result.status != 0:
        pytest.fail(f"{file.name} in Blender {version}: status {result.status}\n{result.output}", pytrace=False)
