"""diffusers and transformers, kept off the terminal; what they raise becomes one sentence."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import diffusers
import torch
import transformers
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError

from ..base import Cancelled
from .devices import first_line


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the libraries' warnings and progress bars off the terminal."""
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    diffusers.utils.logging.set_verbosity(diffusers.utils.logging.CRITICAL)
    diffusers.utils.logging.disable_progress_bar()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def failures(what: str) -> Iterator[None]:
    """Turn what the libraries raise into errors that say that `what` could not be loaded.

    Raises:
        TweenbridgeError: OUT_OF_MEMORY or MODEL_FAILED.
    """
    try:
        yield
    except (TweenbridgeError, Cancelled):
        raise
    except Exception as error:
        if isinstance(error, MemoryError | torch.OutOfMemoryError) or "allocate memory" in str(error):
            raise TweenbridgeError(ErrorCode.OUT_OF_MEMORY, f"There is not enough memory to load {what}.") from error
        raise TweenbridgeError(ErrorCode.MODEL_FAILED, f"Loading {what} failed: {first_line(error)}.") from error
