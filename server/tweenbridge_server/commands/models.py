"""What `tweenbridge models ...` does. It asks the server, which it starts when it is absent."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer
from tweenbridge.client import Client
from tweenbridge.events import Disconnected, ModelChanged, ModelsListed
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge.protocol.models import ModelInfo, Models, ModelState

from .console import ago, console, print_json, say, size
from .transfer_bar import TransferBar

_STYLES = {
    ModelState.READY: "green",
    ModelState.DAMAGED: "bold red",
    ModelState.FAILED: "bold red",
    ModelState.DOWNLOADING: "bold cyan",
    ModelState.VERIFYING: "bold cyan",
    ModelState.ABSENT: "dim",
}
_WAIT = 0.5


def _client(home: Path) -> Client:
    return Client(home, name="command line")


def plain(info: ModelInfo) -> dict[str, Any]:
    """A model as JSON has it."""
    words = {"role": info.role.value, "state": info.state.value, "origin": info.origin.value}
    return asdict(info) | words | {"error": None if info.error is None else info.error.message}


def show(home: Path, as_json: bool) -> None:
    """List all models."""
    with _client(home) as client:
        answer = client.models()
    if as_json:
        print_json({"folder": answer.folder, "free": answer.free, "models": [plain(info) for info in answer.models]})
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("Model", "State", "Size", "Needs", "Is a", "Used", "Title"):
        table.add_column(name, justify="right" if name in ("Size", "Needs") else "left", no_wrap=name != "Title")
    for info in answer.models:
        table.add_row(
            info.model, _state(info), size(info.size) if info.size else "", size(info.memory) if info.memory else "",
            info.role.value, f"{ago(info.used)} ago" if info.used else "",
            info.title + (" (default)" if info.default else ""), style=_STYLES.get(info.state, ""),
        )  # fmt: skip
    console().print(table)
    for info in answer.models:
        if info.error is not None:
            say(f"{info.model}: {info.error.message} {info.error.remedy}")
    _tell_more(answer)


def _state(info: ModelInfo) -> str:
    if info.state in (ModelState.DOWNLOADING, ModelState.PAUSED, ModelState.VERIFYING) and info.total:
        return f"{info.state.value} {100 * info.done // info.total} %"
    return info.state.value + (", in memory" if info.loaded else "")


def _tell_more(answer: Models) -> None:
    for note in answer.notes:
        say(f"Note: {note}")
    say(f"{size(answer.free)} are free in {answer.folder}.")
    if answer.device is not None:
        say(f"Computed on {answer.device.title}, which has {size(answer.device.memory)} of memory.")


def get(home: Path, names: Sequence[str], accept: bool) -> None:
    """Download models one after the other."""
    with _client(home) as client:
        for name in names:
            info = find(client, name)
            if info.state is ModelState.READY:
                say(f"{info.title} is here: {info.location}")
                continue
            client.get_model(info.model, accept_licence=accept or _accepts(info))
            try:
                done = follow(client, info.model)
            except KeyboardInterrupt:
                client.pause_model(info.model)
                say(f"\n{info.title} is paused; the same command goes on with it.")
                raise
            say(f"{done.title} is here: {done.location}")


def _accepts(info: ModelInfo) -> bool:
    """Ask about the licence, where that was not done before and there is somebody to ask."""
    if info.licence is None or info.licence.accepted:
        return False
    say(f"{info.title} comes under the licence {info.licence.name}.")
    if info.licence.link:
        say(f"Read it at {info.licence.link}")
    if sys.stdin is None or not sys.stdin.isatty():
        raise TweenbridgeError(
            ErrorCode.BAD_REQUEST,
            f"The licence of {info.title} has not been accepted.",
            remedy="Read it, then give the option --accept-licence.",
        )
    if not typer.confirm("Do you accept it?", err=True):
        raise typer.Exit(1)
    return True


def verify(home: Path, names: Sequence[str]) -> None:
    """Verify models; all that are here without names."""
    with _client(home) as client:
        here = [info for info in client.models().models if info.location]
        chosen = [find(client, name) for name in names] if names else here
        if not chosen:
            print("No models are here yet.")
        problems = [problem for info in chosen if (problem := _verified(client, info)) is not None]
        if problems:
            raise TweenbridgeError.from_info(problems[-1].info)


def _verified(client: Client, info: ModelInfo) -> TweenbridgeError | None:
    client.verify_model(info.model)
    try:
        follow(client, info.model)
    except TweenbridgeError as error:
        say(f"{info.model}: {error}")
        return error
    print(f"{info.model}: every file is what it should be.")
    return None


def repair(home: Path, names: Sequence[str]) -> None:
    """Repair models one after the other."""
    with _client(home) as client:
        for name in names:
            info = find(client, name)
            client.repair_model(info.model)
            say(f"{follow(client, info.model).title} is as it should be.")


def import_models(home: Path, paths: Sequence[Path], title: str) -> None:
    """Use models where they lie."""
    if title and len(paths) > 1:
        raise TweenbridgeError(ErrorCode.BAD_REQUEST, "One title cannot name several models.", remedy="Import singly.")
    with _client(home) as client:
        for path in paths:
            info = client.import_model(path.expanduser().absolute(), title=title)
            say(f"{info.title} is a {info.role.value} for {info.engine}; name it {info.model}.")


def scan(home: Path, folder: Path | None, as_json: bool) -> None:
    """Show what could be imported."""
    with _client(home) as client:
        answer = client.scan_models(folder.expanduser().absolute() if folder is not None else "")
    if as_json:
        print_json([asdict(found) | {"role": found.role.value} for found in answer.found])
        return
    for found in answer.found:
        if found.problem:
            print(f"no     {found.path}: {found.problem}")
        else:
            known = f", listed as {found.model}" if found.model else ""
            print(f"{found.role.value:<6} {found.path} ({size(found.size)}{known})")
    if not answer.found:
        print("No models were found.")
    if not answer.whole:
        say("There is more than was looked through; name a folder further down.")
    if any(not found.problem and not found.model for found in answer.found):
        say("`tweenbridge models import PATH` makes one of them usable.")


def remove(home: Path, names: Sequence[str]) -> None:
    """Remove models."""
    with _client(home) as client:
        for name in names:
            info = find(client, name)
            client.remove_model(info.model)
            kept = f"; its files stay at {info.location}" if info.reference and info.location else ""
            say(f"{info.title} is removed{kept}.")


def prefer(home: Path, name: str) -> None:
    """Make a model the one that is taken where none is named."""
    with _client(home) as client:
        info = client.prefer_model(find(client, name).model)
    say(f"{info.engine} takes {info.title} from now on where no model is named.")


def unload(home: Path) -> None:
    """Give idle workers' memory back."""
    with Client(home, name="command line", start_server=False) as client:
        answer = client.unload_models()
    if answer.workers:
        say(f"{size(answer.freed)} of memory were given back.")
    else:
        say("No worker was idle.")


def find(client: Client, name: str) -> ModelInfo:
    """The model of that name, or the only one whose name begins so.

    Raises:
        TweenbridgeError: BAD_REQUEST where there is none, or several.
    """
    known = client.models().models
    exact = [info for info in known if info.model == name]
    found = exact or [info for info in known if info.model.startswith(name)]
    if len(found) == 1:
        return found[0]
    how = f"{len(found)} models begin with {name!r}" if found else f"There is no model {name!r}"
    raise TweenbridgeError(ErrorCode.BAD_REQUEST, f"{how}.", remedy="`tweenbridge models list` shows their names.")


def follow(client: Client, model: str) -> ModelInfo:
    """Watch a download or check until it is over.

    Raises:
        TweenbridgeError: what went wrong with the model; CANCELLED when somebody else stopped it.
    """
    client.watch_models()
    with TransferBar() as bar:
        try:
            return _follow(client, model, bar.show)
        finally:
            client.watch_models(False)


def _follow(client: Client, model: str, show_it: Callable[[ModelInfo], None]) -> ModelInfo:
    while True:
        for event in client.poll(_WAIT):
            info: ModelInfo | None = None
            if isinstance(event, ModelsListed):
                info = next((each for each in event.models.models if each.model == model), None)
            elif isinstance(event, ModelChanged) and event.model == model:
                info = event.info
            elif isinstance(event, Disconnected):
                raise TweenbridgeError.from_info(event.error)
            if info is None:
                continue
            show_it(info)
            if info.state is ModelState.READY:
                return info
            if info.error is not None and not info.state.is_busy:
                raise TweenbridgeError.from_info(info.error)
            if not info.state.is_busy:
                raise TweenbridgeError(
                    ErrorCode.CANCELLED, f"{info.title} is {info.state.value} now.", remedy="Somebody else stopped it."
                )
