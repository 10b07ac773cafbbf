"""The composition root: one server for one data folder, from taking the lock to giving it back."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tweenbridge.discovery import ServerAddress, lock_file, private_folder, read_address, remove_address, write_address
from tweenbridge.launcher import record_command, this_installation
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge.protocol.limits import PROTOCOL_VERSIONS
from tweenbridge.version import __version__

from .config import Config
from .diagnostics import logs
from .diagnostics.logs import event
from .diagnostics.memory import return_large_blocks_at_once
from .disk import disk_error, is_failing, is_full
from .transport.endpoint import is_loopback
from .transport.gateway import Gateway
from .transport.keys import Keys, fresh_keys, kept_keys
from .transport.requests import Services

if TYPE_CHECKING:
    from .jobs.service import Change, Preview
    from .models.service import ModelChange

log = logging.getLogger(__name__)

_MOST_MENDINGS = 3
"""How often a server mends its job list and goes on: a disk that damages it again and again is no place for it."""
LOCK_PATIENCE = 2.0
"""Seconds to wait for a server that is just ending."""


@contextmanager
def only_server(home: Path) -> Iterator[None]:
    """Be the one server of a data folder.

    Raises:
        TweenbridgeError: BUSY, saying which server runs already; START_FAILED when the folder cannot be locked.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(lock_file(home))
    try:
        private_folder(lock_file(home).parent)
        lock.acquire(timeout=LOCK_PATIENCE, poll_interval=0.05)
    except Timeout:
        raise _runs_already(home) from None
    except (OSError, NotImplementedError) as error:
        raise TweenbridgeError(
            ErrorCode.START_FAILED,
            f"The data folder {home} cannot be used: {error}.",
            remedy="Choose another folder with the environment variable TWEENBRIDGE_HOME.",
        ) from error
    try:
        yield
    finally:
        lock.release()


def _runs_already(home: Path) -> TweenbridgeError:
    address = read_address(home)
    which = "it is just starting or ending"
    if address is not None:
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(address.started))
        which = f"process {address.pid} at {address.endpoint}, since {since}"
    return TweenbridgeError(
        ErrorCode.BUSY,
        f"A Tweenbridge server already runs on {home}: {which}.",
        remedy="Use it as it is, or end it with `tweenbridge stop`.",
    )


def serve(config: Config, on_ready: Callable[[str], None] | None = None) -> int:
    """Run the server until it is told to stop by a client, SIGTERM or SIGINT.

    Args:
        on_ready: called with the endpoint once the server listens and can be found.

    Returns:
        The exit status: 0.

    Raises:
        TweenbridgeError: BUSY, START_FAILED or DISK_FAILED, and what the job service raises when the store cannot be
            opened.
    """
    with only_server(config.home):
        keys = fresh_keys() if is_loopback(config.host) else kept_keys(config.home)
        logs.configure(config.home, config.log_level, _secrets(keys))
        try:
            for warning in config.warnings:
                log.warning(warning)
            for _ in range(_MOST_MENDINGS):
                if not _run(config, keys, on_ready):
                    return 0
            raise TweenbridgeError(
                ErrorCode.DISK_FAILED,
                f"The job list in {config.home} is damaged again and again.",
                remedy="Check the disk, or choose another folder with the environment variable TWEENBRIDGE_HOME.",
            )
        except OSError as error:
            log.exception("The server ended unexpectedly.")
            if is_full(error) or is_failing(error):
                raise disk_error(error, "what the server needs to run") from error
            raise
        except Exception:
            log.exception("The server ended unexpectedly.")
            raise
        finally:
            logs.close()


def _secrets(keys: Keys) -> tuple[str, ...]:
    pairs = [pair for pair in (keys.curve, keys.local) if pair is not None]
    return (keys.token.hex(), *(pair.secret for pair in pairs))


def _run(config: Config, keys: Keys, on_ready: Callable[[str], None] | None) -> bool:
    """Run until the end. Returns whether to run again: the job list has turned out to be damaged, and opening it anew
    mends it. To clients it is a restart.
    """
    gateway: Gateway | None = None

    def changed(change: Change) -> None:
        if gateway is not None:
            gateway.changed(change)

    def model_changed(change: ModelChange) -> None:
        if gateway is not None:
            gateway.model_changed(change)

    def show(preview: Preview) -> None:
        if gateway is not None:
            gateway.show(preview)

    return_large_blocks_at_once()
    services = _services(config, changed, model_changed, show)
    name = f"tweenbridge {__version__}"
    gateway = Gateway(services, name, config.home, config.limits, keys, config.host, config.port)
    gateway.start()
    try:
        services.jobs.start()
        try:
            services.models.start()
            with _stopped_by_signals(gateway):
                _announce(config, gateway, keys)
                if on_ready is not None:
                    on_ready(gateway.endpoint)
                # In slices, because on Windows a wait without end keeps Ctrl-C from being noticed.
                while not gateway.join(0.5):
                    if services.jobs.is_damaged:
                        log.error("The job list is damaged on the disk: the server starts again to mend it.")
                        gateway.stop()
                return services.jobs.is_damaged
        finally:
            remove_address(config.home, os.getpid())
            gateway.stop()
            gateway.join()
            services.models.close()
            services.jobs.close()
            event(log, logging.INFO, "server ended")
    finally:
        gateway.stop()
        gateway.join()


def _services(
    config: Config, changed: Callable[[Change], None], model_changed: Callable[[ModelChange], None],
    show: Callable[[Preview], None],
) -> Services:  # fmt: skip
    from .executors.base import WorkerSettings
    from .executors.choice import choose
    from .jobs.service import JobService
    from .models.device import Device
    from .models.service import ModelService

    settings = WorkerSettings(
        config.devices,
        config.worker_idle_seconds,
        threads=config.cpu_threads,
        compile_models=config.compile_models,
    )
    executor = choose(config.executor, config.home, settings, config.cluster)
    device = Device(config.devices[0])
    models = ModelService(config.home, config.models, device, model_changed, executor.workers, executor.unload)
    jobs = JobService(config.home, config.limits, config.retention, executor, changed, show, models.note_use)
    return Services(jobs, models)


def _announce(config: Config, gateway: Gateway, keys: Keys) -> None:
    record_command(this_installation(), config.home)
    address = ServerAddress(
        endpoint=gateway.endpoint,
        token=keys.token,
        pid=os.getpid(),
        started=time.time(),
        versions=PROTOCOL_VERSIONS,
        curve_key=keys.curve.public if keys.curve is not None else None,
        client_secret=keys.local.secret if keys.local is not None else None,
    )
    write_address(address, config.home)
    event(log, logging.INFO, "server ready", endpoint=gateway.endpoint, pid=os.getpid(), version=__version__)


@contextmanager
def _stopped_by_signals(gateway: Gateway) -> Iterator[None]:
    """SIGTERM and SIGINT end the server in order. Signals belong to the main thread; elsewhere this does nothing."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: object) -> None:
        gateway.stop()

    names = [name for name in ("SIGTERM", "SIGINT", "SIGBREAK") if hasattr(signal, name)]
    before = {name: signal.signal(getattr(signal, name), stop) for name in names}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(getattr(signal, name), handler)
