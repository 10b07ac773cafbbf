"""The package as a whole: its version, what it exports, what it loads."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import tweenbridge
from fakes.pictures import keyframe
from tweenbridge import Priority, Spacing, Timing, job_id_for, make_order

ROOT = Path(__file__).resolve().parents[2]


def loaded(program: str) -> set[str]:
    """Names of the modules that a program loads."""
    program = f"import sys; sys.path[:0] = {sys.path!r}\n{program}\nprint('\\n'.join(sys.modules))"
    result = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    return set(result.stdout.split())


def test_the_version_is_the_projects() -> None:
    match = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.M)
    assert match is not None
    assert tweenbridge.__version__ == match.group(1)


def test_everything_exported_is_there_and_documented() -> None:
    assert tweenbridge.__all__ == sorted(tweenbridge.__all__)
    for name in tweenbridge.__all__:
        assert getattr(tweenbridge, name) is not None
    for name in ("Client", "Reply", "JobHandle", "Frame", "KeyframeSource", "TweenbridgeError"):
        assert getattr(tweenbridge, name).__doc__


def test_the_protocol_page_is_part_of_the_package() -> None:
    assert (Path(tweenbridge.__file__).parent / "protocol" / "PROTOCOL.md").is_file()
    settings = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert re.search(r'package-data\]\n"\*" = \[.*"\*\.md"', settings)


def test_values_and_arithmetic_load_no_zeromq() -> None:
    assert "zmq" not in loaded("import tweenbridge, tweenbridge.timing, tweenbridge.protocol.messages")
    assert "zmq" in loaded("from tweenbridge import Client")
    assert "asyncio" not in loaded("from tweenbridge import Client") - loaded("import zmq")


def test_a_job_id_follows_from_the_contents_alone(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(keyframe(0))
    (tmp_path / "b.png").write_bytes(keyframe(1))
    paths = [tmp_path / "a.png", tmp_path / "b.png"]
    request = make_order(paths, count=3, settings={"x": 1, "y": 2.0}).request()
    expected = job_id_for(request)
    assert re.fullmatch("[0-9a-f]{32}", expected)
    assert job_id_for(make_order(paths, count=3, settings={"y": 2.0, "x": 1}).request()) == expected
    others = [
        make_order(paths, count=4, settings={"x": 1, "y": 2.0}),
        make_order(paths, count=3, settings={"x": 2, "y": 2.0}),
        make_order(paths, count=3, engine="other", settings={"x": 1, "y": 2.0}),
        make_order(paths[::-1], count=3, settings={"x": 1, "y": 2.0}),
        make_order(paths, count=3, timing=Timing(spacing=Spacing.EASE_IN), settings={"x": 1, "y": 2.0}),
    ]
    assert expected not in {job_id_for(order.request()) for order in others}


def test_priorities_are_in_order() -> None:
    assert Priority.INTERACTIVE < Priority.NORMAL < Priority.BACKGROUND
