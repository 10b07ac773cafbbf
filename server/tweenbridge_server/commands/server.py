"""`tweenbridge serve`, `stop` and `status`."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

from tweenbridge.client import Client
from tweenbridge.discovery import read_address
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge.protocol.messages import Status, WorkerInfo
from tweenbridge.protocol.models import DeviceInfo

from .console import duration, plural, print_json, say, size
from .keys import split_address


def serve(home: Path, listen: str) -> int:
    """Run the server in this process until it is told to end. Returns the exit status.

    Args:
        listen: tcp://ADDRESS:PORT, instead of the settings' host and port; "" for those.
    """
    from ..app import serve as run
    from ..config import load_config

    config = load_config(home)
    if listen:
        host, port = split_address(listen)
        config = replace(config, host=_address(host), port=config.port if port is None else port)
    return run(config, lambda endpoint: say(f"The Tweenbridge server works in {home}, at {endpoint}. Ctrl-C ends it."))


def _address(host: str) -> str:
    import ipaddress

    try:
        return str(ipaddress.ip_address("127.0.0.1" if host == "localhost" else host))
    except ValueError:
        raise TweenbridgeError(
            ErrorCode.BAD_REQUEST, f"{host} is not an IP address.", remedy="Give one, like tcp://0.0.0.0:47800."
        ) from None


def stop(home: Path) -> None:
    """End the server and wait until it has ended."""
    with Client(home, name="command line", start_server=False) as client:
        try:
            client.stop_server()
        except TweenbridgeError as error:
            if error.code is not ErrorCode.NOT_RUNNING:
                raise
            say("The server is not running.")
            return
    say("The server has ended. Jobs that were running go on at its next start.")


def status(home: Path, as_json: bool) -> bool:
    """Print how the server is. Returns whether it runs."""
    with Client(home, name="command line", start_server=False) as client:
        try:
            answer = client.status(timeout=5.0)
        except TweenbridgeError as error:
            if error.code is not ErrorCode.NOT_RUNNING:
                raise
            if as_json:
                print_json({"running": False, "data_dir": str(home)})
            else:
                print("The server is not running. It starts by itself when in-betweens are asked for.")
            return False
    if as_json:
        print_json({"running": True, **asdict(answer)})
    else:
        print(describe(answer, _endpoint(home)))
    return True


def _endpoint(home: Path) -> str:
    address = read_address(home)
    return f" at {address.endpoint}" if address else ""


def describe(status: Status, where: str) -> str:
    """The server's state in lines for a person."""
    jobs = ", ".join(f"{count} {state}" for state, count in status.jobs.items() if count) or "none"
    workers = [_worker(worker) for worker in status.workers]
    lines = {
        "Server": f"{status.server}, process {status.pid}{where}, running for {duration(status.uptime)}",
        "Jobs": jobs,
        "Workers": "; ".join(workers) or "none (they start when there is work)",
        **({"Device": _device(status.device)} if status.device is not None else {}),
        "Clients": f"{plural(status.sessions, 'session')}, this one included",
        "Memory": size(status.memory),
        "Data": f"{status.data_dir} ({size(status.spool_bytes)} of keyframes and frames)",
    }
    return "\n".join(f"{name:<9}{text}" for name, text in lines.items())


def _worker(worker: WorkerInfo) -> str:
    holds = ""
    if worker.model:
        holds = f", holds {Path(worker.model).name} ({size(worker.model_memory)} of the device's memory)"
    return f"{worker.device}: {worker.state}, {size(worker.memory)}{holds}"


def _device(device: DeviceInfo) -> str:
    return f"{device.title} ({device.device}), {size(device.free)} of {size(device.memory)} free"
