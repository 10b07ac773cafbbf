"""Files of a repository on the hub, found with huggingface_hub: which there are, and what they should be.

Since version 2 the library's own downloads begin anew after an interruption, and a model has gigabytes; so the library
lists the files and makes addresses and headers, and fetch_http.py brings the bytes. Every file is then compared with
the hash that the hub has for it: SHA-256 for large files, git's for small ones.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final, NoReturn, TypeVar

from tweenbridge.protocol.errors import TweenbridgeError
from tweenbridge.version import __version__

from .catalogue import is_inside
from .fetch_http import Remote, explain, transport_of
from .orders import Place, download_failed

T = TypeVar("T")

log = logging.getLogger(__name__)

_KEYRING: Final = ("tweenbridge", "huggingface")
"""Service and user name under which a token may lie in the system's keyring."""
_TRIES: Final = 3
_COMMIT: Final = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class HubFile:
    """A file of a repository: how to fetch it and what it must be. `sha256` or `git` is known."""

    remote: Remote
    size: int
    sha256: str
    git: str


def listing(place: Place, stall: float) -> tuple[str, tuple[HubFile, ...]]:
    """The files of a repository that are wanted: the commit they are of, and the files.

    Raises:
        TweenbridgeError: DOWNLOAD_FAILED: the hub cannot be reached, or does not have or give them.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled
    from huggingface_hub.hf_api import RepoFile
    from huggingface_hub.utils import get_session

    transport = transport_of(get_session())
    token: str | None = None
    try:
        commit, token = _find(place, stall)
        listed = HfApi(token=token or False).list_repo_tree(place.hub, recursive=True, revision=commit)
        found = [file for file in listed if isinstance(file, RepoFile)]
    except OfflineModeIsEnabled as error:
        raise download_failed(
            "Downloads are turned off by the environment variable HF_HUB_OFFLINE.", "Remove it, then try again."
        ) from error
    except HfHubHTTPError as error:
        refuse(place, error, bool(token or find_token()))
    except transport.TransportError as error:
        raise explain(transport, error, HfApi().endpoint, stall) from error
    files = tuple(
        _hub_file(place, commit, file, token)
        for file in found
        if any(fnmatchcase(file.path, pattern) for pattern in place.files)
    )
    _check_complete(place, [file.remote.path for file in files])
    return commit, files


def _find(place: Place, stall: float) -> tuple[str, str | None]:
    """The commit that is wanted, and the token that is needed for it or at hand.

    The system's keyring, which may have to be unlocked by the user, is asked only where nothing comes without a token.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import RepositoryNotFoundError

    token = find_token()
    try:
        # Asked for a commit, too: unlike the listing, this says at once what is wrong.
        info = _patiently(
            lambda: HfApi(token=token or False).model_info(place.hub, revision=place.revision, timeout=stall)
        )
    except RepositoryNotFoundError:
        # The hub says so of private repositories, too.
        secret = None if token else secret_in_keyring()
        if secret is None:
            raise
        token = secret
        info = HfApi(token=token).model_info(place.hub, revision=place.revision, timeout=stall)
    if info.gated and not token:
        token = secret_in_keyring()
    return place.revision if _COMMIT.fullmatch(place.revision) else info.sha or place.revision, token


def _patiently(ask: Callable[[], T]) -> T:
    """Ask again where no answer came in time; the library does so for everything else that is asked here."""
    from huggingface_hub.utils import get_session

    transport = transport_of(get_session())
    for _ in range(_TRIES - 1):
        try:
            return ask()
        except transport.TimeoutException as error:
            log.warning("No answer in time, asking again: %s", error)
    return ask()


def _hub_file(place: Place, commit: str, file: Any, token: str | None) -> HubFile:
    from huggingface_hub import hf_hub_url
    from huggingface_hub.utils import build_hf_headers, hf_raise_for_status

    if not is_inside(file.path):
        raise download_failed(f"The repository {place.hub} has a file with the name {file.path[:100]!r}.")

    def refused(response: Any) -> None:
        from huggingface_hub.errors import HfHubHTTPError

        try:
            hf_raise_for_status(response)
        except HfHubHTTPError as error:
            refuse(place, error, bool(token))

    sha256 = file.lfs.sha256 if file.lfs is not None else ""
    remote = Remote(
        path=file.path,
        url=hf_hub_url(place.hub, file.path, revision=commit),
        size=file.size,
        tag=sha256 or file.blob_id,
        headers=build_hf_headers(token=token or False, library_name="tweenbridge", library_version=__version__),
        refused=refused,
    )
    return HubFile(remote, file.size, sha256, "" if sha256 else file.blob_id)


def _check_complete(place: Place, paths: list[str]) -> None:
    lacking = [pattern for pattern in place.files if not any(fnmatchcase(path, pattern) for path in paths)]
    if lacking:
        raise download_failed(
            f"The repository {place.hub} has no file {lacking[0]!r} (any more).",
            "Get the model from somewhere else and import it.",
        )


def refuse(place: Place, error: Any, with_token: bool) -> NoReturn:
    """Raise what the hub's refusal means for the user."""
    from huggingface_hub.errors import DisabledRepoError, GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

    page = f"https://huggingface.co/{place.hub}"
    status = error.response.status_code if error.response is not None else 0
    problem: TweenbridgeError
    if isinstance(error, GatedRepoError):
        problem = download_failed(
            f"{place.hub} is given only to people who have agreed to its terms on its page.",
            f"Agree at {page}"
            + (
                " with the account that your token is of, then try again."
                if with_token
                else ", then give your access token in the environment variable HF_TOKEN and restart the server."
            ),
        )
    elif isinstance(error, RevisionNotFoundError):
        problem = download_failed(
            f"The hub has no version {place.revision[:12]} of {place.hub} (any more).",
            "Get the model from somewhere else and import it.",
        )
    elif status == 401 and with_token:
        problem = download_failed(
            f"The hub does not accept your access token for {place.hub}, or has no such repository (any more).",
            "Check the token in HF_TOKEN, or remove it.",
        )
    elif isinstance(error, (RepositoryNotFoundError, DisabledRepoError)) or status in (401, 404, 410):
        problem = download_failed(
            f"The hub has no repository {place.hub} (any more), or it is private.",
            "Get the model from somewhere else and import it; for a private one, give a token in HF_TOKEN.",
        )
    else:
        problem = download_failed(f"The hub answers {status} when asked for {place.hub}.")
    raise problem from error


def find_token() -> str | None:
    """The user's access token from the environment (HF_TOKEN) or from where `hf auth login` puts it."""
    from huggingface_hub import get_token

    return get_token()


def secret_in_keyring() -> str | None:
    """The user's access token in the system's keyring, where the package for it is installed."""
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError:
        return None
    try:
        return keyring.get_password(*_KEYRING) or None
    except KeyringError:
        # Locked, or there is none on this system.
        return None
