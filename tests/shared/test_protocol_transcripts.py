"""The conversations of PROTOCOL.md, held with the real server over a bare DEALER socket, in the order of the page."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgpack
import pytest
import zmq
from fakes.model_bytes import CHECKPOINT, weights
from fakes.pictures import keyframe
from fakes.real_server import RealServer
from page import Fence, of_kind, plain
from tweenbridge.discovery import ServerAddress
from tweenbridge.protocol import codec, handshake, messages

PATIENCE = 30_000
FILES = {"a.png": keyframe(0), "b.png": keyframe(2)}
PLACES: dict[str, Path] = {}
HINTS = ("progress", "delta", "preview", "model_delta")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerAddress]:
    PLACES["<folder>"] = tmp_path_factory.mktemp("models")
    PLACES["<model>"] = PLACES["<folder>"] / "toon.safetensors"
    PLACES["<model>"].write_bytes(weights(CHECKPOINT))
    server = RealServer(tmp_path_factory.mktemp("home"))
    try:
        yield server.start()
    finally:
        server.close()


class Talk:
    """One transcript, line by line."""

    def __init__(self, address: ServerAddress) -> None:
        self.token = address.token
        self.nonce = handshake.make_nonce()
        self.theirs = b""
        self.ready: set[int] = set()
        self._context: zmq.Context[Any] = zmq.Context()
        self._socket = self._context.socket(zmq.DEALER)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.connect(address.endpoint)

    def close(self) -> None:
        self._socket.close(0)
        self._context.term()

    def filled(self, value: Any) -> Any:
        """Words in <...> replaced by what they stand for."""
        if isinstance(value, dict):
            return {key: self.filled(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.filled(item) for item in value]
        return self._word(value) if isinstance(value, str) and value.startswith("<") else value

    def _word(self, word: str) -> Any:
        if word in PLACES:
            return str(PLACES[word])
        file, _, what = word.strip("<>").partition(" ")
        if file in FILES:
            return len(FILES[file]) if what == "size" else hashlib.sha256(FILES[file]).hexdigest()
        if word == "<client nonce>":
            return self.nonce
        proof = {"<server proof>": handshake.server_proof, "<client proof>": handshake.client_proof}[word]
        return proof(self.token, self.nonce, self.theirs, 1)

    def open_session(self) -> None:
        hello = messages.Hello((1,), self.nonce, messages.ClientInfo("example"))
        self._socket.send(codec.encode(hello, 1))
        self.theirs = self.receive()[0]["nonce"]
        self._socket.send(codec.encode(messages.Prove(self._word("<client proof>")), 2))
        assert self.receive()[0]["t"] == "welcome"

    def receive(self, hint_wanted: bool = False) -> tuple[dict[str, Any], bytes | None]:
        """The next message that is no hint, or the next hint."""
        end = time.monotonic() + PATIENCE / 1000
        while time.monotonic() < end:
            assert self._socket.poll(PATIENCE), "the server says nothing"
            parts = self._socket.recv_multipart()
            codec.decode(parts[0])
            header = msgpack.unpackb(parts[0])
            if header["t"] == "progress":
                self.ready.update(header["ready"])
            if hint_wanted or header["t"] not in HINTS:
                return header, parts[1] if len(parts) > 1 else None
        raise AssertionError("only hints came")

    def say(self, text: str) -> None:
        body, _, file = text.partition(" + ")
        parts = [msgpack.packb(self.filled(plain(json.loads(body))))]
        self._socket.send_multipart(parts + ([FILES[file.strip("<>")]] if file else []))

    def hear(self, text: str) -> None:
        body, _, pixels = text.partition(" + ")
        expected = plain(json.loads(body))
        header, data = self.receive()
        if expected["t"] == "challenge":
            self.theirs = header["nonce"]
        assert_like(self.filled(expected), header)
        assert (data is not None) == bool(pixels)
        if data is not None:
            if pixels == "pixels":
                assert hashlib.sha256(data).hexdigest() == header["sha256"]
            assert data.startswith(b"\x89PNG")

    def wait_for_frame(self, frame: int) -> None:
        while frame not in self.ready:
            self.receive(hint_wanted=True)


def assert_like(expected: Any, said: Any) -> None:
    """`*` stands for anything; the server may say more than is expected."""
    if expected == "*":
        return
    if isinstance(expected, dict):
        assert isinstance(said, dict)
        for key, value in expected.items():
            assert key in said, f"{key} is missing from {said}"
            assert_like(value, said[key])
    else:
        assert said == expected


def test_the_transcripts_one_after_the_other(address: ServerAddress) -> None:
    for fence in of_kind("transcript"):
        print(f"the transcript at line {fence.line}")
        converse(fence, address)


def converse(fence: Fence, address: ServerAddress) -> None:
    talk = Talk(address)
    try:
        if fence.kind.split()[1:] == ["session"]:
            talk.open_session()
        for line in fence.text.splitlines():
            waiting = re.fullmatch(r"wait for frame (\d+) of \S+", line)
            if waiting:
                talk.wait_for_frame(int(waiting.group(1)))
            elif line.startswith("C "):
                talk.say(line[2:])
            else:
                assert line.startswith("S "), line
                talk.hear(line[2:])
    finally:
        talk.close()


def test_the_page_shows_conversations() -> None:
    said = "".join(fence.text for fence in of_kind("transcript"))
    shown = set(re.findall(r'"t": "(\w+)"', said))
    assert shown >= set(codec.MESSAGE_TYPES) - {*HINTS, "stop", "stopping"}
    assert shown - set(codec.MESSAGE_TYPES) == {"sing"}


def test_saying_stop_ends_the_server(tmp_path: Path) -> None:
    server = RealServer(tmp_path / "home")
    talk = Talk(server.start())
    try:
        talk.open_session()
        talk.say('{"v": 1, "t": "stop", "id": 3}')
        talk.hear('{"v": 1, "t": "stopping", "re": 3}')
    finally:
        talk.close()
        server.close()
