"""What is fuzzed: each target takes any bytes, and raises when something happened that must not.

A refusal is a TweenbridgeError of the right code; everything else that escapes is a find. The tests replay the corpora
against these same functions.
"""

from __future__ import annotations

import atexit
import itertools
import json
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from tweenbridge import discovery
from tweenbridge.pixels import FILE_SUFFIX, Encoding, PixelFormat
from tweenbridge.protocol import codec, handshake
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge.protocol.limits import HELLO_TIMEOUT, NONCE_BYTES
from tweenbridge.protocol.messages import ClientInfo, Hello, Prove, Submit
from tweenbridge_server import config
from tweenbridge_server.jobs import admission
from tweenbridge_server.models.recognition import recognise
from tweenbridge_server.transport import client_keys
from tweenbridge_server.transport.sessions import Sessions

PICTURE_PIXELS = 1_000_000
"""Pictures are refused above this while fuzzing, so that each try stays short; the product's bound is 80 times that."""


@cache
def _folder() -> Path:
    """A folder for files that readers need; removed at the end."""
    memory = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it
    folder = Path(tempfile.mkdtemp(prefix="tweenbridge-fuzz-", dir=memory if memory.is_dir() else None))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _refused(act: Callable[[], object], *codes: ErrorCode) -> bool:
    """Whether it was refused, with one of these codes and words for a user."""
    try:
        act()
    except TweenbridgeError as error:
        assert error.code in codes, f"{error.code.value}: {error}"
        assert str(error) and error.remedy
        return True
    return False


# ---------------------------------------------------------------- the wire


def wire(data: bytes) -> None:
    """A header from a peer: refused, or a message that survives the way back; a job is checked like any other."""
    codec.peek_id(data)
    codec.peek_re(data)
    try:
        header = codec.decode(memoryview(data))
    except TweenbridgeError as error:
        assert error.code in (ErrorCode.BAD_MESSAGE, ErrorCode.VERSION, ErrorCode.TOO_LARGE), error.code
        return
    try:
        again = codec.encode(header.message, header.id, header.re)
    except TweenbridgeError as error:
        assert error.code is ErrorCode.TOO_LARGE
    else:
        # As text, because what is no number is not equal to itself.
        assert repr(codec.decode(again)) == repr(header)
    if isinstance(header.message, Submit):
        _admit(header.message)


def _admit(message: Submit) -> None:
    from tweenbridge.protocol.limits import Limits

    refusals = {ErrorCode.BAD_REQUEST, ErrorCode.BAD_KEYFRAME, ErrorCode.UNSUPPORTED_FORMAT, ErrorCode.TOO_LARGE}
    refusals |= {ErrorCode.MODEL_MISSING, ErrorCode.MODEL_FAILED}
    _refused(lambda: admission.check(message, "fuzz", Limits(), _folder(), 0.0), *refusals)


TOKEN = b"the token of the fuzzed server.."


def opening(data: bytes) -> None:
    """Sessions opened by an honest client and by an attacker who saw every word, in any order: none for the attacker.

    Each byte is a step: its upper half says what, its lower half with what.
    """
    nonces = (bytes([1]) + number.to_bytes(NONCE_BYTES - 1, "big") for number in itertools.count())
    sessions = Sessions(TOKEN, max_open=4, max_half_open=3, make_nonce=lambda: next(nonces))
    heard: list[Hello | Prove] = [Hello((1,), bytes(NONCE_BYTES), ClientInfo("attacker"))]
    mine = (bytes([2]) + number.to_bytes(NONCE_BYTES - 1, "big") for number in itertools.count())
    pending: dict[int, tuple[bytes, bytes]] = {}
    honest: set[int] = set()
    now = 0.0
    for byte in data[:400]:
        what, which = byte >> 4, byte & 15
        peer, connection = bytes([which % 5]), 100 + which
        hostile = 200 + which % 5
        try:
            if what <= 2:
                hello = Hello((1,), next(mine), ClientInfo("honest"))
                challenge = sessions.hello(peer, connection, hello, now)
                pending[connection] = (hello.nonce, challenge.nonce)
                honest.discard(connection)
                heard += [hello, Prove(challenge.proof)]
            elif what <= 5 and connection in pending:
                proof = Prove(handshake.client_proof(TOKEN, *pending.pop(connection), 1))
                heard.append(proof)
                sessions.prove(peer, connection, proof, now)
                honest.add(connection)
            elif what <= 9:
                said = heard[(which * 7 + byte) % len(heard)]
                if isinstance(said, Hello):
                    answer = sessions.hello(peer, hostile, said, now)
                    heard.append(Prove(answer.proof))
                else:
                    sessions.prove(peer, hostile, said, now)
            elif what <= 11:
                sessions.ping(peer, hostile, now)
                sessions.require(peer, hostile, now)
            elif what == 12:
                sessions.drop_connection(connection)
                honest.discard(connection)
            elif what == 13:
                now += HELLO_TIMEOUT * which / 8
                sessions.expire(now)
            else:
                sessions.drop(peer)
        except TweenbridgeError as error:
            assert error.code in (ErrorCode.UNAUTHORIZED, ErrorCode.BAD_MESSAGE, ErrorCode.BUSY), error.code
        for session in sessions.open_sessions():
            assert session.connection in honest, "somebody without the token got in"
        assert len(sessions.open_sessions()) <= 4 and len(sessions.half_open()) <= 3


# ---------------------------------------------------------------- pictures


def _picture(encoding: Encoding) -> Callable[[bytes], None]:
    def target(data: bytes) -> None:
        from tweenbridge_server.imaging import headers, io

        headers.MAX_PIXELS = PICTURE_PIXELS  # type: ignore[misc]
        path = _folder() / f"picture{FILE_SUFFIX[encoding]}"
        path.write_bytes(data)
        claim = PixelFormat(encoding)
        codes = (ErrorCode.BAD_KEYFRAME, ErrorCode.UNSUPPORTED_FORMAT, ErrorCode.TOO_LARGE)
        _refused(lambda: io.probe(path, claim, "keyframe 1"), *codes)
        still = None

        def read() -> None:
            nonlocal still
            still = io.read(path, claim, "keyframe 1")

        if not _refused(read, *codes):
            assert still is not None
            height, width = still.pixels.shape[:2]
            assert (still.format.width, still.format.height) == (width, height) and width * height <= PICTURE_PIXELS

    return target


# ---------------------------------------------------------------- models


def weights(data: bytes) -> None:
    """A `.safetensors` file that somebody offers as a model."""
    path = _folder() / "weights.safetensors"
    path.write_bytes(data)
    _refused(lambda: recognise(path), ErrorCode.MODEL_FAILED, ErrorCode.MODEL_MISSING)


def checkpoint(data: bytes) -> None:
    """The same, loaded as a checkpoint, a VAE and a LoRA: needs torch, and runs in workers only."""
    import torch
    from tweenbridge_server.engines.dreammover.libraries import failures
    from tweenbridge_server.engines.dreammover.recognise import read_header
    from tweenbridge_server.engines.dreammover.single_file import load_checkpoint, load_vae

    path = _folder() / "checkpoint.safetensors"
    path.write_bytes(data)
    if _refused(lambda: read_header(path), ErrorCode.MODEL_FAILED):
        return

    def load(reader: Callable[[], object]) -> None:
        # What libraries raise becomes a sentence there, as in the worker.
        with failures("the model"):
            reader()

    codes = (ErrorCode.MODEL_FAILED, ErrorCode.OUT_OF_MEMORY)
    _refused(lambda: load(lambda: load_checkpoint(path, torch.float32, lambda done: None)), *codes)
    _refused(lambda: load(lambda: load_vae(path, torch.float32)), *codes)


_PARTS = ("model_index.json", "unet/config.json", "unet/diffusion_pytorch_model.safetensors.index.json",
          "vae/config.json", "text_encoder/config.json", "tokenizer/vocab.json", "tokenizer/merges.txt",
          "scheduler/scheduler_config.json", "unet/diffusion_pytorch_model.safetensors",
          "vae/diffusion_pytorch_model.safetensors", "text_encoder/model.safetensors")  # fmt: skip


def folder(data: bytes) -> None:
    """A diffusers folder: its parts in a fixed order, between lines of two per cent signs; the last fills the rest."""
    place = _folder() / "model"
    shutil.rmtree(place, ignore_errors=True)
    pieces = data.split(b"\n%%\n")
    for name, content in zip(_PARTS, pieces + [pieces[-1]] * len(_PARTS)):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(content)
    _refused(lambda: recognise(place), ErrorCode.MODEL_FAILED, ErrorCode.MODEL_MISSING)


# ---------------------------------------------------------------- files of the data folder


def settings(data: bytes) -> None:
    """`config.toml`, and the same as JSON in the files that say where servers are and who gets in."""
    home = _folder() / "home"
    home.mkdir(exist_ok=True)
    config.config_file(home).write_bytes(data)
    _refused(lambda: config.load_config(home, {}), ErrorCode.BAD_REQUEST)
    discovery.address_file(home).parent.mkdir(exist_ok=True)
    discovery.address_file(home).write_bytes(data)
    address = discovery.read_address(home)
    if address is not None:
        assert json.loads(discovery.address_text(address))
    client_keys.keys_folder(home).mkdir(exist_ok=True)
    (client_keys.keys_folder(home) / "client-anna.json").write_bytes(data)
    assert all(key.name == "anna" for key in client_keys.all_keys(home))


Target = Callable[[bytes], None]

TARGETS: dict[str, Target] = {
    "wire": wire,
    "opening": opening,
    "png": _picture(Encoding.PNG),
    "tiff": _picture(Encoding.TIFF),
    "exr": _picture(Encoding.EXR),
    "jpeg": _picture(Encoding.JPEG),
    "weights": weights,
    "checkpoint": checkpoint,
    "folder": folder,
    "settings": settings,
}
WITH_TORCH = frozenset({"checkpoint"})
_PICTURES = ("tweenbridge_server.imaging.io",)
LATE_IMPORTS = dict.fromkeys(("png", "tiff", "exr", "jpeg"), _PICTURES) | {
    "checkpoint": ("tweenbridge_server.engines.dreammover.single_file",),
}
"""Modules that targets import when they first run."""


def seeds(name: str) -> list[Any]:
    """What fuzzing begins with where there is no corpus yet: sound data of the target's kind."""
    from . import seeding

    return seeding.SEEDS[name]()
