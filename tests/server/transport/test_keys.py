"""Clients of other machines: each has a key; who has none gets no word in, and nobody sees others' jobs."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import zmq
from tweenbridge.discovery import ServerAddress
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge.protocol.messages import (
    Cancel,
    ClientInfo,
    Delta,
    Error,
    GetJob,
    Job,
    JobState,
    ListJobs,
    Ping,
    Progress,
    Release,
    Snapshot,
    Stop,
    Submit,
    Watch,
)
from tweenbridge.protocol.models import ListModels, UnloadModels, WatchModels
from tweenbridge.protocol.oversight import GetDetails, GetThumbnail, PauseQueue
from tweenbridge_server.executors.base import Previewed
from tweenbridge_server.jobs.caller import Caller
from tweenbridge_server.jobs.service import Change, Preview
from tweenbridge_server.models.service import ModelChange
from tweenbridge_server.transport.client_keys import KeyRing, all_keys, create_key, find_key, keys_folder, revoke_key
from tweenbridge_server.transport.keys import Keys, kept_keys
from tweenbridge_server.transport.sessions import MAX_SESSIONS_OF_KEY

from .conftest import info
from .test_gateway import SUBMIT
from .test_previews import PNG

if TYPE_CHECKING:
    from .conftest import Peer, Served


@pytest.fixture
def encrypted(start_gateway: Callable[..., Served], tmp_path: Path) -> Served:
    return start_gateway(keys=kept_keys(tmp_path))


def with_key(served: Served, home: Path, name: str, admin: bool = False) -> Peer:
    """An open session of a new key's holder."""
    return served.peer(secret=create_key(home, name, admin).secret).open()


def code(answer: Any) -> ErrorCode:
    assert isinstance(answer, Error), answer
    return answer.error.code


# ---------------------------------------------------------------- the files


@pytest.mark.skipif(os.name != "posix", reason="file modes mean something on POSIX systems only")
def test_keys_are_readable_by_their_owner_alone(tmp_path: Path) -> None:
    create_key(tmp_path, "anna", False)
    (path,) = keys_folder(tmp_path).iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_keys_come_and_go(tmp_path: Path) -> None:
    anna, boss = create_key(tmp_path, "anna", False), create_key(tmp_path, "Boss", True)
    assert all_keys(tmp_path) == [boss, anna] and find_key(tmp_path, "anna") == anna
    with pytest.raises(TweenbridgeError) as taken:
        create_key(tmp_path, "ANNA", True)
    assert taken.value.code is ErrorCode.CONFLICT
    revoke_key(tmp_path, "anna")
    assert all_keys(tmp_path) == [boss]
    for act in (revoke_key, find_key):
        with pytest.raises(TweenbridgeError, match="no key named anna"):
            act(tmp_path, "anna")
    assert create_key(tmp_path, "anna", False).public != anna.public


@pytest.mark.parametrize("name", ["", ".", "../anna", "a/b", "a\\b", "a\0b", "ann\n", "-x", "x" * 41, "ä"])
def test_names_that_are_none(tmp_path: Path, name: str) -> None:
    for act in (lambda: create_key(tmp_path, name, False), lambda: revoke_key(tmp_path, name)):
        with pytest.raises(TweenbridgeError) as error:
            act()
        assert error.value.code is ErrorCode.BAD_REQUEST
    assert list(tmp_path.rglob("*.json")) == []


def test_a_damaged_or_renamed_key_file_lets_nobody_in(tmp_path: Path) -> None:
    key = create_key(tmp_path, "anna", False)
    path = keys_folder(tmp_path) / "client-anna.json"
    content = path.read_text()
    other = create_key(tmp_path, "other", False)
    for damaged in ("", "[]", content[:-9], content.replace(key.public, other.public), "[" * 100_000):
        path.write_text(damaged)
        assert KeyRing(tmp_path).find(key.public) is None
    path.write_text(content)
    assert KeyRing(tmp_path).find(key.public) == key
    path.rename(path.with_name("client-boss.json"))
    assert KeyRing(tmp_path).find(key.public) is None


# ---------------------------------------------------------------- who gets in


def test_a_key_made_while_the_server_runs_opens_it_and_a_revoked_one_ends_its_session(
    encrypted: Served, tmp_path: Path
) -> None:
    peer = with_key(encrypted, tmp_path, "anna")
    assert not isinstance(peer.ask(ListJobs()), Error)
    local = encrypted.client()
    began = time.monotonic()
    revoke_key(tmp_path, "anna")
    ended = peer.receive(3).message
    print(f"the revoked key's session ended after {time.monotonic() - began:.2f} s")
    assert code(ended) is ErrorCode.UNAUTHORIZED and "revoked" in ended.error.message
    # Its connection is still there, and no new key of the same name makes it good again.
    create_key(tmp_path, "anna", True)
    assert code(peer.ask(ListJobs())) is ErrorCode.UNAUTHORIZED
    with pytest.raises(AssertionError):
        peer.open()
    assert not isinstance(local.ask(ListJobs()), Error)


@pytest.mark.parametrize("which", ["unknown key", "revoked key", "another server's key", "no key"])
def test_who_has_no_good_key_is_told_within_three_seconds(encrypted: Served, tmp_path: Path, which: str) -> None:
    from tweenbridge.connection import Connection
    from tweenbridge.protocol.limits import Limits

    keys = encrypted.keys
    assert keys.curve is not None
    secret, public = zmq.curve_keypair()[1].decode(), keys.curve.public
    expected, words = ErrorCode.UNAUTHORIZED, "does not accept this key"
    if which == "revoked key":
        secret = create_key(tmp_path, "anna", False).secret
        revoke_key(tmp_path, "anna")
    elif which == "another server's key":
        public, words = zmq.curve_keypair()[0].decode(), "another server"
    elif which == "no key":
        expected, words = ErrorCode.BAD_MESSAGE, "asks for a key"
    with_curve = {} if which == "no key" else {"curve_key": public, "client_secret": secret}
    address = ServerAddress(encrypted.gateway.endpoint, keys.token, 0, 0.0, (1,), **with_curve)
    began = time.monotonic()
    with zmq.Context() as context:
        connection = Connection(address, ClientInfo("test"), context, Limits())
        with pytest.raises(TweenbridgeError, match=words) as error:
            while True:
                connection.poll()
                connection.wait(0.05)
        connection.close()
    took = time.monotonic() - began
    print(f"{which}: told after {took:.2f} s: {error.value} {error.value.remedy}")
    assert error.value.code is expected and "key" in error.value.remedy and took < 3


def test_a_peer_without_a_key_gets_no_message_through(encrypted: Served) -> None:
    assert encrypted.keys.curve is not None
    stranger = encrypted.peer(secret=zmq.curve_keypair()[1].decode())
    stranger.send(Ping())
    assert stranger.is_silent(0.5)


def test_one_key_cannot_take_all_sessions(encrypted: Served, tmp_path: Path) -> None:
    key = create_key(tmp_path, "anna", False)
    peers = [encrypted.peer(secret=key.secret).open() for _ in range(MAX_SESSIONS_OF_KEY)]
    with pytest.raises(AssertionError, match="too many open sessions"):
        encrypted.peer(secret=key.secret).open()
    assert not isinstance(encrypted.client().ask(ListJobs()), Error)
    assert not isinstance(peers[0].ask(ListJobs()), Error)


# ---------------------------------------------------------------- who sees what


def test_a_key_says_whose_a_job_is(encrypted: Served, tmp_path: Path) -> None:
    anna, boss = with_key(encrypted, tmp_path, "anna"), with_key(encrypted, tmp_path, "boss", admin=True)
    for peer in (anna, boss, encrypted.client()):
        peer.ask(SUBMIT)
    assert encrypted.service.owners == ["key:anna", "key:boss", "test"]
    assert Caller("key:anna", False).scope == "key:anna" and Caller("test").scope is None


def test_others_jobs_are_not_there(encrypted: Served, tmp_path: Path) -> None:
    anna, bert, boss = (with_key(encrypted, tmp_path, name, name == "boss") for name in ("anna", "bert", "boss"))
    anna.ask(SUBMIT)
    job = SUBMIT.job
    for request in (GetJob(job), Cancel(job), Release(job), GetDetails(job), GetThumbnail(job, frame=0)):
        assert code(bert.ask(request)) is ErrorCode.UNKNOWN_JOB
        assert bert.ask(request).error.message == bert.ask(GetJob("nothing")).error.message.replace("nothing", job)
    assert code(bert.ask(SUBMIT)) is ErrorCode.CONFLICT
    assert encrypted.service.owners == ["key:anna"]
    for peer in (anna, boss, encrypted.client()):
        assert isinstance(peer.ask(GetJob(job)), Job)
    assert [len(peer.ask(ListJobs()).jobs) for peer in (anna, bert, boss)] == [1, 0, 1]
    snapshots = [peer.ask(Watch()) for peer in (anna, bert, boss)]
    assert [isinstance(answer, Snapshot) and len(answer.jobs) for answer in snapshots] == [1, 0, 1]


def test_changes_and_previews_reach_their_owner_and_administrators_alone(encrypted: Served, tmp_path: Path) -> None:
    anna, bert, boss = (with_key(encrypted, tmp_path, name, name == "boss") for name in ("anna", "bert", "boss"))
    for peer in (anna, bert, boss):
        peer.ask(Watch())
    anna.ask(SUBMIT)
    # Asked for in the moment before it is refused.
    bert.send(GetJob(SUBMIT.job, previews=True))
    encrypted.gateway.changed(Change(SUBMIT.job, info(SUBMIT.job, JobState.RUNNING), (0,), "key:anna"))
    encrypted.gateway.show(Preview(SUBMIT.job, 0, Previewed(0.5, 64, 48, PNG), "key:anna"))
    encrypted.gateway.changed(Change(SUBMIT.job, None, (), "key:anna"))
    assert [type(anna.news()) for _ in range(2)] == [Progress, Delta]
    assert [type(boss.news()) for _ in range(2)] == [Delta, Delta]
    assert isinstance(bert.news(), Error)
    assert bert.is_silent()


def test_where_models_lie_is_for_administrators(encrypted: Served, tmp_path: Path) -> None:
    anna, boss = with_key(encrypted, tmp_path, "anna"), with_key(encrypted, tmp_path, "boss", admin=True)
    for question in (ListModels(), WatchModels()):
        assert [peer.ask(question).models[0].location for peer in (anna, boss)] == ["", "/models/toon"]
    (model,) = boss.ask(ListModels()).models
    encrypted.gateway.model_changed(ModelChange("toon", model))
    encrypted.gateway.model_changed(ModelChange("toon", None))
    assert [anna.news().info, anna.news().info] == [replace(model, location=""), None]
    assert [boss.news().info, boss.news().info] == [model, None]


@pytest.mark.parametrize("name", ["/etc/passwd", "~/x", "../x", "a/../../b", "C:\\x", "./x", "a/b/c", "a b", "x\0"])
def test_a_key_names_models_by_name_and_looks_at_no_other_file(encrypted: Served, tmp_path: Path, name: str) -> None:
    anna, boss = with_key(encrypted, tmp_path, "anna"), with_key(encrypted, tmp_path, "boss", admin=True)

    def wanted(place: str, value: str) -> Submit:
        request = replace(SUBMIT.request, engine="dreammover", settings={place: value})
        return replace(SUBMIT, request=request)

    for place in ("model", "vae", "lora"):
        assert code(anna.ask(wanted(place, name))) is ErrorCode.FORBIDDEN
    assert not encrypted.service.owners
    assert not isinstance(boss.ask(replace(wanted("model", name), job="boss-1")), Error)
    for value in ("", "nano", "toon.safetensors", "org/name", "org/name@v1.0"):
        assert not isinstance(anna.ask(wanted("model", value)), Error)


@pytest.mark.parametrize("request_", [PauseQueue(), UnloadModels(), Stop()], ids=lambda request: request.TYPE)
def test_what_concerns_everybody_takes_an_administrator(encrypted: Served, tmp_path: Path, request_: Any) -> None:
    anna = with_key(encrypted, tmp_path, "anna")
    assert code(anna.ask(request_)) is ErrorCode.FORBIDDEN
    assert not isinstance(anna.ask(ListJobs()), Error)
    if isinstance(request_, Stop):
        boss = with_key(encrypted, tmp_path, "boss", admin=True)
        assert not isinstance(boss.ask(request_), Error)


def test_on_loopback_there_are_no_keys(served: Served, tmp_path: Path) -> None:
    assert isinstance(served.keys, Keys) and served.keys.local is None
    served.client().ask(SUBMIT)
    assert served.service.owners == ["test"] and not keys_folder(tmp_path).exists()
