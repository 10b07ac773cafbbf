"""pip's failures in plain words, and its progress on one line."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
from tweenbridge_installer import pip
from tweenbridge_installer.errors import InstallError


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "disk is full"),
        ("Retrying ... ProxyError('Cannot connect to proxy.')\nERROR: No matching distribution found for x", "proxy"),
        ("SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED]", "certificate"),
        (
            "WARNING: Retrying after connection broken by 'NewConnectionError(...)'\n"
            "ERROR: No matching distribution found for setuptools>=77",
            "cannot be reached",
        ),
        ("ERROR: No matching distribution found for numba>=0.61", "numba>=0.61 for Python 3.19"),
        ("ERROR: Could not install: [WinError 5] Access is denied", "could not be written"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES", "damaged"),
        ("ERROR: something new", "something new"),
    ],
)  # fmt: skip
def test_failures_of_pip_are_explained(output: str, words: str) -> None:
    assert words in pip.explain(output, "3.19")


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_a_downloads_progress_on_one_line() -> None:
    terminal = _Terminal()
    display = pip.Display(terminal)
    display.feed("Downloading torch-2.13.0-cp312-cp312-manylinux_2_28_x86_64.whl (190.0 MB)\n")
    display.feed("Progress 95000000 of 190000000\n")
    display.clear()
    assert "\n" not in terminal.getvalue()
    assert "[############............] torch 95.0 of 190.0 MB" in terminal.getvalue()


def test_a_file_gets_no_progress_line() -> None:
    stream = io.StringIO()
    pip.Display(stream).feed("Progress 1 of 2\n")
    assert stream.getvalue() == ""


def test_a_failing_pip_raises_the_sentence_and_keeps_the_log(tmp_path: Path) -> None:
    log = tmp_path / "bootstrap.log"
    arguments = ["--no-index", "--find-links", str(tmp_path), "tweenbridge-no-such-package"]
    with pytest.raises(InstallError, match="no ready-made build of tweenbridge-no-such-package"):
        pip.install(Path(sys.executable), arguments, log, "3.12")
    assert "No matching distribution" in log.read_text(encoding="utf-8")
