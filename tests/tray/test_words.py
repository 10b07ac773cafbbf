"""Times, sizes, states and reports as people read them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QTranslator
from PySide6.QtWidgets import QApplication
from tweenbridge import ErrorCode, ErrorInfo, JobInfo, JobState
from tweenbridge_tray import words


def job(**fields: object) -> JobInfo:
    known: dict[str, object] = {
        "job": "abc", "state": JobState.DONE, "total": 7, "done": 7, "engine": "flow", "profile": "quality"
    }  # fmt: skip
    return JobInfo(**{**known, **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("count", "said"), [(0, "0 B"), (999, "999 B"), (1500, "2 kB"), (3.44e9, "3.4 GB"), (2e12, "2000 GB")]
)
def test_sizes(count: float, said: str) -> None:
    assert words.size(count) == said


@pytest.mark.parametrize(("seconds", "said"), [(0.2, "0 s"), (59.4, "59 s"), (125, "2 min 05 s"), (7860, "2 h 11 min")])
def test_durations(seconds: float, said: str) -> None:
    assert words.duration(seconds) == said


@given(st.floats(0, 1e8))
def test_the_past_is_always_something(passed: float) -> None:
    assert words.ago(1e9 - passed, 1e9)


def test_a_report_tells_nothing_private() -> None:
    error = ErrorInfo(
        ErrorCode.BAD_KEYFRAME, "Keyframe 2 (secret shot/ann.png) in /home/ann/film is damaged, 'C:\\work\\x'."
    )
    failed = job(
        state=JobState.FAILED, error=error, title="Top secret film", origin="blender", started=1.0, finished=3.0
    )
    report = words.report(failed, "tweenbridge 0.1.0")
    assert "bad_keyframe" in report and "is damaged" in report and "2.0 s" in report and "flow" in report
    for private in ("ann", "secret", "film", "work", "home"):
        assert private not in report.lower(), report


def test_what_a_job_says_of_itself() -> None:
    running = job(state=JobState.RUNNING, done=2, eta=65.0)
    assert words.progress(running) == "2 of 7 frames · 1 min 05 s left"
    assert words.progress(job(started=10.0, finished=22.0)) == "7 frames · 12 s"
    assert words.origin(job(origin="blender")) == "Blender"
    assert words.title(job(job="0123456789abc")) == "Job 01234567"


def test_words_are_translated(qapp: QApplication) -> None:
    class Shouting(QTranslator):
        def translate(self, context: str, text: str, disambiguation: str | None = None, n: int = -1) -> str:
            return text.upper() if context == "Tweenbridge" else ""

        def isEmpty(self) -> bool:
            return False

    translator = Shouting()
    qapp.installTranslator(translator)
    try:
        assert words.tr("Jobs") == "JOBS"
        assert words.state_name(JobState.DONE) == "DONE"
    finally:
        qapp.removeTranslator(translator)
    assert words.tr("Jobs") == "Jobs"
