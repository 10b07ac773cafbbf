"""Previews go to those who asked, and never pile up."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tweenbridge.protocol.messages import GetJob, JobState, ListJobs, Preview, Submit
from tweenbridge_server.executors.base import Previewed
from tweenbridge_server.jobs.service import Preview as Shown

from .test_flow_control import needs_proc, own_memory
from .test_gateway import SUBMIT

if TYPE_CHECKING:
    from .conftest import Peer, Served

PNG = b"\x89PNG\r\n\x1a\n" + bytes(1000)


def show(served: Served, job: str = "job-1", t: float = 0.5, png: bytes = PNG) -> None:
    served.gateway.show(Shown(job, 2, Previewed(t, 256, 144, png)))


def seen(peer: Peer) -> tuple[object, bytes | None]:
    header, pixels = peer.receive_parts()
    assert header.re is None
    return header.message, pixels


def test_who_asked_for_previews_sees_them_and_nobody_else_does(served: Served) -> None:
    asker, submitter, stranger = served.client(), served.client(), served.client()
    asker.ask(Submit("job-1", SUBMIT.request, previews=True))
    submitter.ask(Submit("job-1", SUBMIT.request))
    show(served)
    assert seen(asker) == (Preview("job-1", 2, 0.5, 256, 144), PNG)
    show(served, "another-job")
    assert all(peer.is_silent(0.1) for peer in (asker, submitter, stranger))


def test_asking_how_a_job_stands_turns_previews_on_and_off(served: Served) -> None:
    served.client().ask(SUBMIT)
    peer = served.client()
    peer.ask(GetJob("job-1", previews=True))
    show(served)
    assert seen(peer)[1] == PNG
    peer.ask(GetJob("job-1"))
    show(served)
    served.change("job-1")
    assert peer.news().info.state is JobState.RUNNING, "it still hears of progress"
    assert peer.is_silent(0.1)


@needs_proc
def test_a_client_that_does_not_read_misses_previews(served: Served) -> None:
    slow, good = served.peer(lazy=True).open(), served.client()
    for peer in (slow, good):
        peer.ask(Submit("job-1", SUBMIT.request, previews=True))
    large = bytes(256 * 1024)
    before = own_memory()
    count = 400
    for number in range(count):
        show(served, t=number / count, png=large)
        while good.is_silent(0.05):
            # The one before had not quite left.
            show(served, t=number / count, png=large)
        assert seen(good)[0] == Preview("job-1", 2, number / count, 256, 144)
    assert own_memory() - before < 15 * 1024 * 1024, "four hundred previews would be 100 MB"
    good.ask(ListJobs())
    time.sleep(0.2)
    number = slow.send(ListJobs())
    got = 0
    while (header := slow.receive()).re != number:
        got += isinstance(header.message, Preview)
    assert 0 < got < count / 2
    show(served)
    assert seen(slow)[1] == PNG
