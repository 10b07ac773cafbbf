"""Errors: a code, a sentence, a remedy, and the same again after the wire."""

from __future__ import annotations

import pickle

import pytest
from tweenbridge.protocol.errors import REMEDIES, ErrorCode, TweenbridgeError


@pytest.mark.parametrize("code", list(ErrorCode))
def test_every_code_tells_what_to_do(code: ErrorCode) -> None:
    error = TweenbridgeError(code, "It went wrong.")
    assert error.remedy == REMEDIES[code]
    assert error.remedy.endswith(".")
    assert str(error) == "It went wrong."


def test_an_error_is_the_same_after_the_wire() -> None:
    error = TweenbridgeError(ErrorCode.BUSY, "Full.", remedy="Wait.", retry_after=2.5)
    again = TweenbridgeError.from_info(error.info)
    assert (again.info, again.code, again.remedy, str(again)) == (error.info, ErrorCode.BUSY, "Wait.", "Full.")
    assert again.info.retryable


def test_an_error_can_cross_processes() -> None:
    error = TweenbridgeError(ErrorCode.BAD_KEYFRAME, "Keyframe 2 is damaged.", remedy="Export it.", retry_after=1.0)
    assert pickle.loads(pickle.dumps(error)).info == error.info
