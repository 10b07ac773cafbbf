"""Names that try to be more than names: paths, commands to a terminal, a second line."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from bench import Bench, flat, request
from tweenbridge.keyframes import KeyframeSource, describe
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge.protocol.messages import JobState, Submit

A, B = flat(10), flat(60)
PATHS = ["../../../etc/cron.d/x", "/etc/passwd", "..\\..\\x", "C:\\Windows\\x", "~/x", "a/b.png", "con", "."]
COMMANDS = ["\x1b]0;title\x07", "two\nlines", "\r over", "\x9b31m", "zero\0", "line\u2028separator", "\x7f"]


def test_keyframes_named_like_paths_are_kept_by_their_content(bench: Bench, tmp_path: Path) -> None:
    wanted = request([A, B])
    for number, name in enumerate(PATHS):
        keyframes = tuple(dataclasses.replace(keyframe, name=name) for keyframe in wanted.keyframes)
        named = dataclasses.replace(wanted, keyframes=keyframes)
        bench.send(f"j{number}", [A, B], named)
        assert bench.wait(f"j{number}").state is JobState.DONE
    outside = [path for path in tmp_path.rglob("*") if path.is_file() and path.name in ("x", "passwd", "b.png", "con")]
    assert outside == []


@pytest.mark.parametrize("job", [*PATHS[:6], *COMMANDS, "", "x" * 65, "j/../k"])
def test_job_ids_are_no_paths(bench: Bench, job: str) -> None:
    with pytest.raises(TweenbridgeError) as error:
        bench.submit(job, request([A, B]))
    assert error.value.code is ErrorCode.BAD_REQUEST


@pytest.mark.parametrize("text", COMMANDS)
def test_names_and_titles_are_one_line_of_text(bench: Bench, text: str) -> None:
    wanted = request([A, B])
    first, second = wanted.keyframes
    named = dataclasses.replace(wanted, keyframes=(dataclasses.replace(first, name=text), second))
    for submit in (Submit("j", named), Submit("j", wanted, title=text), Submit("j", wanted, origin=text)):
        with pytest.raises(TweenbridgeError) as error:
            bench.service.submit(submit, "test")
        assert error.value.code is ErrorCode.BAD_REQUEST and text not in str(error.value)


def test_the_client_sends_files_of_such_names_under_names_that_can_be_shown(tmp_path: Path) -> None:
    path = tmp_path / "two\nlines.png"
    try:
        path.write_bytes(A)
    except OSError:
        pytest.skip("This file system has no such names.")
    described = describe(0, KeyframeSource(path, position=0))
    assert described.name == "two\N{REPLACEMENT CHARACTER}lines.png"
