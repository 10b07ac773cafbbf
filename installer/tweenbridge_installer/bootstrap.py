"""What `bootstrap.py` does with its arguments: prepare the environment for a command, then become that command."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from . import blender_hosts, checks, offline
from .environment import DEV, DREAMMOVER, SERVER, TRAY, Environment, ensure
from .errors import InstallError

HELP = """\
Usage: python3 bootstrap.py COMMAND [ARGUMENTS]

Makes Tweenbridge's Python environment (.venv) where it is not there yet, then runs the command in it.

  demo      draw three keyframes, make the in-betweens and a film of them
  test      check the code and run the tests, those of the Blender extension inside the newest Blender there is a
            Python for, or, with --all-blenders, inside all that it is made for; other arguments go to pytest
  install   put Tweenbridge into the editors on this computer; uninstall takes it out again
  tray      open the tray app: jobs, models, and a place to drop stills on
  setup     add what the diffusion engine needs: PyTorch for this machine's GPU, and its libraries
  ...       any tweenbridge command: interpolate, engines, serve, stop, status, jobs, cancel, logs, doctor, build

Environment variables: TWEENBRIDGE_TORCH chooses PyTorch's build (cu128 or the like, rocm6.4 or the like, cpu);
TWEENBRIDGE_OFFLINE names a folder of wheels to install from, without a network (`build offline` makes one).
"""


ALL_BLENDERS = "--all-blenders"


def say(sentence: str) -> None:
    """Tell the person who waits what happens. On standard error: standard output is the command's own."""
    print(sentence, file=sys.stderr, flush=True)


def wants_dreammover(arguments: Sequence[str], root: Path) -> bool:
    """Whether a forwarded command asks for the diffusion engine, where this checkout has it."""
    asked = any(
        argument == "--engine=dreammover" or (argument == "--engine" and following == "dreammover")
        for argument, following in zip(arguments, (*arguments[1:], ""))
    )
    return asked and (root / "server/tweenbridge_server/engines/dreammover").is_dir()


def _run_tests(environment: Environment, arguments: list[str]) -> int:
    """Run the checks and the tests, with the Blender versions that they ask for."""
    every = ALL_BLENDERS in arguments
    versions = blender_hosts.prepare(environment.root, every, say)
    os.environ["TWEENBRIDGE_BLENDERS"] = " ".join(versions)
    return checks.run(
        environment.python, environment.root, [argument for argument in arguments if argument != ALL_BLENDERS]
    )


def main(root: Path, arguments: Sequence[str]) -> int:
    """Run `bootstrap.py` with the given arguments, for the checkout at `root`. Returns the exit status."""
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(HELP, end="")
        return 0
    command, rest = arguments[0], list(arguments[1:])
    environment = Environment(root)
    extras = {SERVER}
    if command == "test":
        extras.add(DEV)
    if command in ("tray", "confirm", "install", "test"):
        extras.add(TRAY)
    if command in ("setup", "test") or wants_dreammover(rest, root):
        extras.add(DREAMMOVER)
    try:
        offline.use_folder(os.environ)
        installed = ensure(environment, frozenset(extras), say, again=command == "setup")
        if command == "test":
            return _run_tests(environment, rest)
    except InstallError as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        say("Stopped. Run the same command again to go on from here.")
        return 130
    if installed:
        _record_launch_command(environment)
    if command == "setup":
        say("Ready. Try `python3 bootstrap.py demo`.")
        return 0
    return _become(environment.python, [command, *rest])


def _record_launch_command(environment: Environment) -> None:
    """Let the editors' plugins find this installation: they start its server."""
    program = (
        "from tweenbridge import discovery, launcher; "
        "launcher.record_command(launcher.this_installation(), discovery.data_dir())"
    )
    result = subprocess.run([str(environment.python), "-I", "-c", program], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        reason = (result.stderr.strip().splitlines() or ["no answer"])[-1]
        say(f"Editors will not find this installation by themselves: {reason}")


def _become(python: Path, arguments: Sequence[str]) -> int:
    """Run a tweenbridge command in this process's place.

    Isolated (-I), because the PYTHONPATH of a studio's other programs must not reach into it.
    """
    command = [str(python), "-I", "-m", "tweenbridge_server", *arguments]
    # What the user typed, so that messages name commands that work here.
    os.environ["TWEENBRIDGE_INVOKED_AS"] = f"{'py' if os.name == 'nt' else 'python3'} {sys.argv[0]}"
    if os.name != "nt":
        os.execv(command[0], command)
    # On Windows an exec would return to the shell at once. Ctrl-C reaches the child by itself: wait for its answer.
    with subprocess.Popen(command) as process:
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:
                continue
