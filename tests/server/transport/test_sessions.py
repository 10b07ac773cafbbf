"""The sessions' state machine, with the time passed in."""

from __future__ import annotations

import pytest
from tweenbridge.protocol import handshake
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge.protocol.limits import DEAD_AFTER, HELLO_TIMEOUT
from tweenbridge.protocol.messages import ClientInfo, Hello, Prove
from tweenbridge_server.transport.sessions import MAX_ATTACHED, Session, Sessions, choose_version

TOKEN = b"t" * 32
NONCE = b"n" * 32
HELLO = Hello((1,), NONCE, ClientInfo("test"))


def open_session(sessions: Sessions, peer: bytes, connection: int = 1, now: float = 0.0) -> Session:
    challenge = sessions.hello(peer, connection, HELLO, now)
    proof = handshake.client_proof(TOKEN, NONCE, challenge.nonce, challenge.version)
    return sessions.prove(peer, connection, Prove(proof), now)


def code_of(error: pytest.ExceptionInfo[TweenbridgeError]) -> ErrorCode:
    return error.value.code


def test_a_session_ends_after_silence_and_its_peer_is_told_when_it_pings() -> None:
    sessions = Sessions(TOKEN)
    session = open_session(sessions, b"a")
    assert sessions.require(b"a", 1, now=DEAD_AFTER - 1) is session
    assert sessions.expire(now=2 * DEAD_AFTER - 2) == []
    sessions.ping(b"a", 1, now=2 * DEAD_AFTER - 2)
    assert sessions.expire(now=3 * DEAD_AFTER - 3) == []
    assert sessions.expire(now=3 * DEAD_AFTER) == [session]
    with pytest.raises(TweenbridgeError) as error:
        sessions.ping(b"a", 1, now=3 * DEAD_AFTER)
    assert code_of(error) is ErrorCode.UNAUTHORIZED
    open_session(sessions, b"a", now=3 * DEAD_AFTER)
    sessions.ping(b"a", 1, now=3 * DEAD_AFTER)


def test_a_challenge_that_is_not_answered_in_time_is_void() -> None:
    sessions = Sessions(TOKEN)
    challenge = sessions.hello(b"a", 1, HELLO, now=0.0)
    assert sessions.expire(now=HELLO_TIMEOUT + 0.1) == []
    with pytest.raises(TweenbridgeError) as error:
        sessions.prove(b"a", 1, Prove(handshake.client_proof(TOKEN, NONCE, challenge.nonce, 1)), now=4.0)
    assert code_of(error) is ErrorCode.UNAUTHORIZED


def test_a_wrong_proof_voids_the_challenge() -> None:
    sessions = Sessions(TOKEN)
    challenge = sessions.hello(b"a", 1, HELLO, now=0.0)
    for proof in (b"", handshake.client_proof(TOKEN, NONCE, challenge.nonce, 1)):
        with pytest.raises(TweenbridgeError) as error:
            sessions.prove(b"a", 1, Prove(proof), now=0.0)
        assert code_of(error) is ErrorCode.UNAUTHORIZED
    assert sessions.open_sessions() == []


def test_a_second_hello_gets_a_new_challenge_until_the_session_is_open() -> None:
    sessions = Sessions(TOKEN)
    first = sessions.hello(b"a", 1, HELLO, now=0.0)
    second = sessions.hello(b"a", 1, HELLO, now=0.0)
    assert first.nonce != second.nonce
    with pytest.raises(TweenbridgeError):
        sessions.prove(b"a", 1, Prove(handshake.client_proof(TOKEN, NONCE, first.nonce, 1)), now=0.0)
    open_session(sessions, b"a")
    with pytest.raises(TweenbridgeError) as error:
        sessions.hello(b"a", 1, HELLO, now=0.0)
    assert code_of(error) is ErrorCode.BAD_MESSAGE
    assert len(sessions.open_sessions()) == 1


def test_a_session_belongs_to_its_connection() -> None:
    sessions = Sessions(TOKEN)
    session = open_session(sessions, b"a", connection=7)
    with pytest.raises(TweenbridgeError) as error:
        sessions.require(b"a", 8, now=0.0)
    assert code_of(error) is ErrorCode.UNAUTHORIZED
    assert sessions.drop_connection(8) == []
    assert sessions.drop_connection(7) == [session]
    assert sessions.find(b"a", session.serial) is None
    later = open_session(sessions, b"a", connection=8)
    assert sessions.find(b"a", session.serial) is None and sessions.find(b"a", later.serial) is later


def test_open_sessions_are_bounded() -> None:
    sessions = Sessions(TOKEN, max_open=2)
    open_session(sessions, b"a")
    challenge = sessions.hello(b"late", 9, HELLO, now=0.0)
    open_session(sessions, b"b")
    with pytest.raises(TweenbridgeError) as error:
        sessions.hello(b"c", 1, HELLO, now=0.0)
    assert code_of(error) is ErrorCode.BUSY and error.value.info.retry_after
    with pytest.raises(TweenbridgeError) as error:
        sessions.prove(b"late", 9, Prove(handshake.client_proof(TOKEN, NONCE, challenge.nonce, 1)), now=0.0)
    assert code_of(error) is ErrorCode.BUSY
    sessions.drop(b"a")
    open_session(sessions, b"c")


def test_of_half_open_sessions_the_oldest_gives_way() -> None:
    sessions = Sessions(TOKEN, max_half_open=3)
    for peer in (b"a", b"b", b"c", b"d"):
        sessions.hello(peer, 1, HELLO, now=0.0)
    assert [session.routing_id for session in sessions.half_open()] == [b"b", b"c", b"d"]


def test_attached_jobs_are_bounded() -> None:
    session = open_session(Sessions(TOKEN), b"a")
    assert session.attach("first") and not session.attach("first")
    for number in range(MAX_ATTACHED):
        session.attach(str(number))
    assert len(session.attached) == MAX_ATTACHED and "first" not in session.attached


@pytest.mark.parametrize("offered", [(), (0,), (2, 3), (-1,)])
def test_versions_without_one_in_common(offered: tuple[int, ...]) -> None:
    with pytest.raises(TweenbridgeError) as error:
        choose_version(offered)
    assert code_of(error) is ErrorCode.VERSION
