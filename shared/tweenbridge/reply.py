"""The answer to a question to the server, before and after it has come."""

from __future__ import annotations

from typing import Optional

from .protocol import messages as wire
from .protocol.errors import ErrorCode, TweenbridgeError


class Reply:
    """The answer to a question, once it is there."""

    def __init__(self, question: wire.ClientMessage) -> None:
        self.question = question
        self._answer: Optional[wire.Message] = None
        self.data: Optional[memoryview] = None
        """The answer's pixel part, where it has one."""

    @property
    def done(self) -> bool:
        """Whether there is an answer."""
        return self._answer is not None

    def result(self) -> wire.Message:
        """The answer.

        Raises:
            TweenbridgeError: the server's error, or NOT_READY while there is no answer.
        """
        if self._answer is None:
            raise TweenbridgeError(
                ErrorCode.NOT_READY, "There is no answer yet.", remedy="Call `poll` until it is done."
            )
        if isinstance(self._answer, wire.Error):
            raise TweenbridgeError.from_info(self._answer.error)
        return self._answer

    def answered(self, message: wire.Message, data: Optional[memoryview] = None) -> None:
        """Fill in the answer."""
        self._answer = message
        self.data = data
