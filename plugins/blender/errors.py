# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong inside Blender and can be said to the artist: one plain sentence, and what to do about it."""

from __future__ import annotations


class PluginError(Exception):
    """An error with a sentence and a remedy. `str()` is the sentence."""

    def __init__(self, sentence: str, remedy: str) -> None:
        super().__init__(sentence, remedy)
        self.sentence = sentence
        self.remedy = remedy

    def __str__(self) -> str:
        return self.sentence


class CoverError(PluginError):
    """In-betweens would hide another clip. The artist is asked, and may let them."""
