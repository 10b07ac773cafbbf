"""A hub on loopback that speaks the endpoints that huggingface_hub asks, and misbehaves as a test likes."""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

COMMIT = "c" * 40
_RANGE = re.compile(r"bytes=(\d+)-")
_CHUNK = 16 * 1024


class FakeHub:
    """Repositories with files, and plain files under /plain/.

    Attributes:
        repositories: "org/name" → path → content.
        plain: path → content.
        served: bytes of content sent for each path.
        asked: (method, path, Range header) of every request for content.
        behave: called for every request for content with the handler and the path, before anything is sent; returns
            True when it has answered by itself.
        gated: repositories whose files are given only with `token`.
        private: repositories of which nothing is known without it.
        tokens: what came with each request to the hub; authorisations: with each for a plain file.
        gone: repositories that are not there any more.
        ranges: whether ranges are honoured.
        pace: seconds to wait before each 16 KiB.
        cut: bytes of content after which the connection is closed, once for each request; None for never.
        stall_at: bytes after which nothing more comes while the connection stays; None for never.
    """

    def __init__(self) -> None:
        self.repositories: dict[str, dict[str, bytes]] = {}
        self.plain: dict[str, bytes] = {}
        self.served: dict[str, int] = {}
        self.asked: list[tuple[str, str, str]] = []
        self.behave: Callable[[Any, str], bool] = lambda handler, path: False
        self.gated: set[str] = set()
        self.private: set[str] = set()
        self.authorisations: list[str] = []
        self.token = "hf_secret"
        self.tokens: list[str] = []
        self.gone: set[str] = set()
        self.ranges = True
        self.pace = 0.0
        self.cut: int | None = None
        self.stall_at: int | None = None
        self.etag = ""
        self.stop_stalling = threading.Event()
        hub = self

        class Handler(_Handler):
            of = hub

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def all_served(self) -> int:
        """Bytes of content sent in all."""
        return sum(self.served.values())

    def close(self) -> None:
        self.stop_stalling.set()
        self._server.shutdown()
        self._server.server_close()


def is_large(path: str) -> bool:
    """What the hub keeps as a large file, by its SHA-256."""
    return path.endswith(".safetensors")


def git_hash(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    of: FakeHub

    def log_message(self, format: str, *args: Any) -> None:
        """Quietly."""

    def do_GET(self) -> None:
        self._route("GET")

    def do_HEAD(self) -> None:
        self._route("HEAD")

    def _route(self, method: str) -> None:
        hub, path = self.of, unquote(re.sub(r"^http://[^/]+", "", self.path).partition("?")[0])
        if path.startswith("/plain/"):
            name = path.removeprefix("/plain/")
            hub.authorisations.append(self.headers.get("Authorization", ""))
            if name not in hub.plain:
                self.answer(404, b"not here")
            else:
                self._content(method, name, hub.plain[name], {"ETag": hub.etag or f'"{len(hub.plain[name])}"'})
            return
        api = re.fullmatch(r"/api/models/([^/]+/[^/]+)/(revision|tree)/([^/]+)", path)
        resolve = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path)
        repository = api.group(1) if api else resolve.group(1) if resolve else ""
        given = self.headers.get("Authorization", "").removeprefix("Bearer ")
        hub.tokens.append(given)
        hidden = repository in hub.private and given != hub.token
        if repository in hub.gone or repository not in hub.repositories or hidden:
            self.answer(401, b"{}", {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"})
            return
        if resolve and repository in hub.gated and given != hub.token:
            status = 403 if given else 401
            self.answer(status, b"{}", {"X-Error-Code": "GatedRepo", "X-Error-Message": "Access is restricted"})
            return
        files = hub.repositories[repository]
        if api:
            if api.group(3) not in (COMMIT, "main"):
                self.answer(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
            elif api.group(2) == "revision":
                gated = "manual" if repository in hub.gated else False
                info = {"id": repository, "sha": COMMIT, "siblings": [], "gated": gated}
                self.answer(200, json.dumps(info).encode())
            else:
                self.answer(200, json.dumps([_entry(name, content) for name, content in files.items()]).encode())
            return
        assert resolve is not None
        name = resolve.group(3)
        if name not in files:
            self.answer(404, b"{}", {"X-Error-Code": "EntryNotFound"})
            return
        large = hashlib.sha256(files[name]).hexdigest() if is_large(name) else git_hash(files[name])
        self._content(method, name, files[name], {"ETag": f'"{large}"', "X-Repo-Commit": COMMIT})

    def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for key, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _content(self, method: str, name: str, content: bytes, headers: dict[str, str]) -> None:
        hub = self.of
        wanted = self.headers.get("Range", "")
        hub.asked.append((method, name, wanted))
        if hub.behave(self, name):
            return
        match = _RANGE.fullmatch(wanted) if hub.ranges else None
        condition = self.headers.get("If-Range", "")
        if condition and condition != headers["ETag"]:
            match = None
        start = int(match.group(1)) if match else 0
        if match and start >= len(content):
            self.answer(416, b"", {"Content-Range": f"bytes */{len(content)}"})
            return
        self.send_response(206 if match else 200)
        if match:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        if method != "HEAD":
            self._send(name, content[start:])

    def _send(self, name: str, content: bytes) -> None:
        hub, sent = self.of, 0
        cut, stall_at = hub.cut, hub.stall_at
        try:
            while sent < len(content):
                if hub.pace:
                    time.sleep(hub.pace)
                if cut is not None and sent >= cut:
                    self.close_connection = True
                    return
                if stall_at is not None and sent >= stall_at:
                    hub.stop_stalling.wait(60)
                    self.close_connection = True
                    return
                piece = content[sent : sent + _CHUNK]
                self.wfile.write(piece)
                sent += len(piece)
                hub.served[name] = hub.served.get(name, 0) + len(piece)
        except OSError:
            self.close_connection = True


def _entry(path: str, content: bytes) -> dict[str, Any]:
    entry: dict[str, Any] = {"type": "file", "path": path, "size": len(content), "oid": git_hash(content)}
    if is_large(path):
        digest = hashlib.sha256(content).hexdigest()
        entry["lfs"] = {"oid": digest, "size": len(content), "pointerSize": 134}
    return entry
