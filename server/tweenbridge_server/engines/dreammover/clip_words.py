"""CLIP's tokenizer for checkpoints that come without one. Its words are data of OpenAI's CLIP: see `clip_merges.md`."""

from __future__ import annotations

import gzip
import json
import tempfile
from importlib import resources
from pathlib import Path
from typing import Final

from transformers import CLIPTokenizer

START: Final = "<|startoftext|>"
END: Final = "<|endoftext|>"
WORDS: Final = 49408
LETTERS: Final = 512
"""The list begins with every byte as a letter within a word, and as one at its end."""


def clip_tokenizer(pad: str, words: int = WORDS) -> CLIPTokenizer:
    """CLIP's tokenizer.

    Args:
        pad: the word to pad with: `END` for Stable Diffusion 1.x, "!" for 2.x.
        words: how many the text encoder knows; a small one knows the first of them.
    """
    text = gzip.decompress(resources.files(__package__).joinpath("clip_merges.txt.gz").read_bytes()).decode("utf-8")
    merges = text.splitlines()[: max(0, words - LETTERS - 2)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_tokenizer(folder, merges, pad)
        return CLIPTokenizer.from_pretrained(folder, local_files_only=True)


def write_tokenizer(folder: Path, merges: list[str], pad: str) -> None:
    """Write a CLIP tokenizer's files; a word's number is its place in the order in which CLIP built the list."""
    letters = _letters()
    words = [
        *letters,
        *(f"{letter}</w>" for letter in letters),
        *(merge.replace(" ", "") for merge in merges),
        START,
        END,
    ]
    special = {"bos_token": START, "eos_token": END, "unk_token": END, "pad_token": pad}
    config = {
        "tokenizer_class": "CLIPTokenizer",
        "model_max_length": 77,
        "add_prefix_space": False,
        "do_lower_case": True,
        "errors": "replace",
        **special,
    }
    (folder / "vocab.json").write_text(json.dumps({word: place for place, word in enumerate(words)}), "utf-8")
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges, ""]), "utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps(config), "utf-8")
    (folder / "special_tokens_map.json").write_text(json.dumps(special), "utf-8")


def _letters() -> list[str]:
    """The 256 bytes as letters that can be printed, those first that are printable as they are."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    return [chr(byte) for byte in printable] + [chr(0x100 + place) for place in range(256 - len(printable))]
