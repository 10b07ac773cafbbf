"""Reading keyframes without holding up the caller: one helper thread hashes files and reads them for `put`."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Optional

from .connection import Connection
from .job import JobHandle
from .keyframes import Bytes, read
from .protocol.errors import TweenbridgeError
from .protocol.messages import JobRequest, Put


@dataclass(frozen=True)
class Loading:
    """A keyframe that is being read for a `put`, and the session in which the server asked for it."""

    handle: JobHandle
    put: Put
    session: Connection
    data: Future[Bytes]


class FileHelper:
    """Hashes keyframes and reads them, one at a time."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="tweenbridge-files")
        self._hashing: dict[JobHandle, Future[JobRequest]] = {}
        self._loading: Optional[Loading] = None

    def hash(self, handle: JobHandle) -> None:
        """Make the job's request; `take_hashed` passes it on."""
        self._hashing[handle] = self._thread.submit(handle.order.request)

    def take_hashed(self) -> None:
        """Tell the jobs whose keyframes have been hashed."""
        for handle in [handle for handle, request in self._hashing.items() if request.done()]:
            request = self._hashing.pop(handle)
            try:
                handle.prepared(request.result())
            except TweenbridgeError as error:
                handle.fail(error.info)

    @property
    def is_loading(self) -> bool:
        """Whether a keyframe is being read; one at a time is."""
        return self._loading is not None

    @property
    def is_working(self) -> bool:
        """Whether there is, or will be soon, something to take."""
        return bool(self._hashing) or self._loading is not None

    def load(self, handle: JobHandle, put: Put, session: Connection) -> None:
        """Read the keyframe that `put` is to carry."""
        source = handle.order.sources[put.keyframe]
        self._loading = Loading(handle, put, session, self._thread.submit(read, put.keyframe, source))

    def take_loaded(self) -> Optional[Loading]:
        """The keyframe that has been read, or None."""
        if self._loading is None or not self._loading.data.done():
            return None
        loaded, self._loading = self._loading, None
        return loaded

    def close(self) -> None:
        """Let the thread end."""
        for request in self._hashing.values():
            request.cancel()
        if self._loading is not None:
            self._loading.data.cancel()
        self._thread.shutdown(wait=False)
