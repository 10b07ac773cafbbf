"""Installing without a network: pip looks into the folder and nowhere else, and says so when something lacks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tweenbridge_installer import bootstrap, environment, offline, pip
from tweenbridge_installer.environment import Environment
from tweenbridge_installer.errors import InstallError
from tweenbridge_installer.torch_build import VERSION, Choice
from tweenbridge_installer.wheels import zipped


def _wheel(folder: Path, name: str) -> None:
    info = f"{name}-1.0.dist-info"
    content = {
        f"{name}.py": b"VALUE = 7\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": b"",
    }
    folder.mkdir(exist_ok=True)
    (folder / f"{name}-1.0-py3-none-any.whl").write_bytes(zipped(content))


def test_without_the_variable_nothing_changes() -> None:
    variables = {"PIP_INDEX_URL": "https://mirror.example.org"}
    assert offline.use_folder(variables) is None
    assert variables == {"PIP_INDEX_URL": "https://mirror.example.org"}


def test_a_folder_without_wheels_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InstallError, match="there are no wheels in it"):
        offline.use_folder({offline.VARIABLE: str(tmp_path)})


def test_bootstrap_says_so_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(offline.VARIABLE, str(tmp_path))
    assert bootstrap.main(tmp_path, ["status"]) == 1
    assert "there are no wheels in it" in capsys.readouterr().err


def test_pip_takes_from_the_folder_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "wheels of mia"
    _wheel(folder, "tweenbridge_sample")
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_NO_INDEX"):
        monkeypatch.setenv(name, "https://127.0.0.1:9/simple" if "URL" in name else "")
    variables = {offline.VARIABLE: str(folder)}
    assert offline.use_folder(variables) == folder
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("PIP_INDEX_URL")
    monkeypatch.delenv("PIP_EXTRA_INDEX_URL")
    target = tmp_path / "target"
    pip.install(Path(sys.executable), ["--target", str(target), "tweenbridge-sample"], tmp_path / "log", "3.12")
    program = f"import sys; sys.path.insert(0, {str(target)!r}); import tweenbridge_sample as s; print(s.VALUE)"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "7\n"
    with pytest.raises(InstallError, match="another Python or another kind of computer"):
        pip.install(Path(sys.executable), ["--target", str(target), "six"], tmp_path / "log", "3.12")


def test_torch_is_taken_as_the_folder_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setattr(pip, "install", lambda python, arguments, log, version: asked.append(list(arguments)))
    choice = Choice(f"torch=={VERSION}", ("cu128",), "Found an NVIDIA GPU.")
    environment._install_torch(Environment(tmp_path), "3.12", choice, True, lambda _: None)
    assert asked == [[f"torch=={VERSION}"]]
