"""Beyond loopback: CURVE under the same handshake, with keys that only their owner can read."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import zmq
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge.protocol.messages import Error, Fetch, FrameData, Jobs, ListJobs, Ping, Prove
from tweenbridge_server.transport.endpoint import is_loopback, open_router
from tweenbridge_server.transport.keys import Keys, fresh_keys, kept_keys, key_file

if TYPE_CHECKING:
    from .conftest import Peer, Served


@pytest.fixture
def encrypted(start_gateway: Callable[..., Served], tmp_path: Path) -> Served:
    return start_gateway(keys=kept_keys(tmp_path))


def test_a_client_with_key_and_token_works_as_on_loopback(encrypted: Served, tmp_path: Path) -> None:
    stored = encrypted.service.add_frame("job-1", 0, tmp_path / "frame", bytes(range(256)) * 8000)
    peer = encrypted.client()
    assert isinstance(peer.ask(ListJobs()), Jobs)
    peer.send(Fetch("job-1", 0))
    header, pixels = peer.receive_parts()
    assert isinstance(header.message, FrameData) and pixels == stored.path.read_bytes()


def test_the_key_alone_is_not_enough(encrypted: Served) -> None:
    peer = encrypted.peer(token=b"not the token")
    peer.hello()
    answer = peer.ask(Prove(b"x" * 32))
    assert isinstance(answer, Error) and answer.error.code is ErrorCode.UNAUTHORIZED


@pytest.mark.parametrize("how", ["no key", "another server's key"])
def test_without_the_servers_key_nothing_is_said(encrypted: Served, how: str) -> None:
    good = encrypted.client()
    other = zmq.curve_keypair()[0].decode()
    peer: Peer = encrypted.peer(curve_key="" if how == "no key" else other)
    peer.send(Ping())
    assert peer.is_silent(0.5)
    assert isinstance(good.ask(ListJobs()), Jobs)


def test_other_addresses_are_never_bound_without_keys() -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    with pytest.raises(TweenbridgeError) as error:
        open_router(context, "0.0.0.0", 0, 1000, None)
    assert error.value.code is ErrorCode.START_FAILED
    context.term()


def test_what_is_loopback() -> None:
    assert [is_loopback(host) for host in ("127.0.0.1", "127.1.2.3", "::1")] == [True] * 3
    assert [is_loopback(host) for host in ("0.0.0.0", "::", "192.168.1.2")] == [False] * 3


@pytest.mark.skipif(os.name != "posix", reason="file modes mean something on POSIX systems only")
def test_kept_keys_are_readable_by_their_owner_alone(tmp_path: Path) -> None:
    kept_keys(tmp_path)
    assert stat.S_IMODE(key_file(tmp_path).stat().st_mode) == 0o600
    assert stat.S_IMODE(key_file(tmp_path).parent.stat().st_mode) == 0o700


def test_kept_keys_stay_and_damaged_ones_are_made_anew(tmp_path: Path) -> None:
    def kept(home: Path) -> Keys:
        # The pair of this machine's own clients is new each time.
        return replace(kept_keys(home), local=None)

    first = kept(tmp_path)
    assert kept(tmp_path) == first and isinstance(first, Keys)
    other = kept(tmp_path / "other")
    assert first.curve and other.curve and other.token != first.token
    for damaged in ("", "{}", '{"token": "00", "public": 1, "secret": 2}', key_file(tmp_path).read_text()[:-30]):
        key_file(tmp_path).write_text(damaged)
        renewed = kept(tmp_path)
        assert renewed.curve is not None and renewed != first and kept(tmp_path) == renewed
    assert renewed.curve is not None
    swapped = key_file(tmp_path).read_text().replace(renewed.curve.public, other.curve.public)
    key_file(tmp_path).write_text(swapped)
    assert kept(tmp_path) != renewed


def test_loopback_tokens_are_new_every_time() -> None:
    assert fresh_keys().token != fresh_keys().token and fresh_keys().curve is None
