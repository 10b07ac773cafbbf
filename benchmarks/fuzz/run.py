"""Fuzz one target, guided by the coverage of our code (atheris, libFuzzer), and keep what is worth keeping.

    python -m pip install atheris
    python benchmarks/fuzz/run.py wire --seconds 600

What was found that must not happen is written to the folder `--finds` and said; the corpus is merged into
benchmarks/fuzz/corpora, smallest inputs first, and replayed by the tests. Decoders written in C are not instrumented:
there, coverage is that of our own checks around them.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

BENCHMARKS = Path(__file__).resolve().parents[1]
CORPORA = BENCHMARKS / "fuzz" / "corpora"
LONGEST = 4096
"""Bytes of one input."""
MOST_KEPT = 150
"""Inputs of one corpus."""
_MEMORY_MB = 4096


def load_corpus(name: str) -> list[bytes]:
    """The inputs that are kept for a target; none where there is no corpus yet."""
    import msgpack

    path = CORPORA / f"{name}.msgpack"
    return list(msgpack.unpackb(path.read_bytes())) if path.exists() else []


def save_corpus(name: str, inputs: list[bytes]) -> None:
    """Keep inputs for a target."""
    import msgpack

    CORPORA.mkdir(exist_ok=True)
    kept = sorted(set(inputs), key=lambda data: (len(data), data))
    (CORPORA / f"{name}.msgpack").write_bytes(msgpack.packb(kept))


def _child(name: str, arguments: list[str]) -> None:
    import atheris

    if name == "wire":
        # What the unpacker in C does cannot be seen; the one in Python does the same.
        os.environ["MSGPACK_PUREPYTHON"] = "1"
    with atheris.instrument_imports(include=["tweenbridge", "tweenbridge_server", "msgpack"]):
        from fuzz import targets

        for module in targets.LATE_IMPORTS.get(name, ()):
            importlib.import_module(module)

    logging.disable(logging.CRITICAL)
    # libFuzzer starts itself again for merging, through a shell.
    itself = shlex.join([sys.executable, __file__, name, "--child"])
    atheris.Setup([itself, *arguments], targets.TARGETS[name])
    atheris.Fuzz()


def _unpack(folder: Path, inputs: list[bytes]) -> Path:
    folder.mkdir()
    for number, data in enumerate(inputs):
        (folder / f"{number:05d}").write_bytes(data)
    return folder


def _fuzz(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, __file__, name, "--child", f"-rss_limit_mb={_MEMORY_MB}", *arguments]
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")


def run(name: str, seconds: int, finds: Path) -> bool:
    """Fuzz a target and keep its corpus. Returns whether nothing was found that must not happen."""
    from fuzz.targets import seeds

    finds.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        begin = _unpack(Path(scratch) / "begin", [*load_corpus(name), *seeds(name)])
        outcome = _fuzz(
            name, f"-max_total_time={seconds}", f"-max_len={LONGEST}", "-timeout=20", "-use_value_profile=1",
            f"-artifact_prefix={finds}/{name}-", str(begin),
        )  # fmt: skip
        merged = Path(scratch) / "merged"
        merged.mkdir()
        _fuzz(name, "-merge=1", "-timeout=20", str(merged), str(begin))
        kept = sorted((path.read_bytes() for path in merged.iterdir()), key=len)[:MOST_KEPT]
    lines = outcome.stdout.splitlines()
    print("\n".join(lines[-2:] if outcome.returncode == 0 else lines[-40:]))
    if kept:
        save_corpus(name, kept)
    tries = next((line.split()[1] for line in reversed(lines) if line.startswith("Done ")), "?")
    print(f"{name}: {tries} inputs in {seconds} s, {len(kept)} kept, exit status {outcome.returncode}")
    return outcome.returncode == 0


def main() -> int:
    """Run one target, or all in turn. Exit status 1 when something was found."""
    sys.path.insert(0, str(BENCHMARKS))
    if "--child" in sys.argv:
        _child(sys.argv[1], sys.argv[3:])
        return 0
    from fuzz.targets import TARGETS

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("target", choices=[*TARGETS, "all"])
    parser.add_argument("--seconds", type=int, default=60, help="how long each target is fuzzed")
    parser.add_argument("--finds", type=Path, default=Path("fuzz-finds"), help="where finds are written")
    options = parser.parse_args()
    names = list(TARGETS) if options.target == "all" else [options.target]
    passed = [run(name, options.seconds, options.finds) for name in names]
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
