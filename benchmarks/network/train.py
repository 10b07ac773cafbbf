"""Trains the networks of the `flow` engine, each for a given time, and exports them.

    python benchmarks/drawn/drawings.py                                     # once: collects the drawings
    python benchmarks/network/examples.py --out EXAMPLES                    # paints scenes, about two a second
    python benchmarks/network/train.py matcher --examples EXAMPLES --out RUN --minutes 60
    python benchmarks/network/train.py arbiter --examples EXAMPLES --out RUN --minutes 60

RUN holds checkpoints, a log and its curves as a picture, and at the end the network as RUN/matcher.onnx or
RUN/arbiter.onnx; export.py makes that of a checkpoint at any time. Run again with the same words, it goes on where it
was killed; with more minutes, it goes on after the end. The arbiter learns from the ways that the engine finds with the
matcher given to examples.py: paint examples again for a new matcher. `--from FILE` begins with the weights of another
run's checkpoint. A graphics card is used where there is one, with eight times as many scenes at a time; that has not
been tried yet. Drawings and seeds that are held out (benchmarks/drawn) are never seen.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from nano import checkpoints, curves
from nano.fitting import Plan, choose_device, fit

from network.export import export
from network.networks import Arbiter, Matcher
from network.training import Shards, arbiter_losses, matcher_losses

_BATCH = {"matcher": 4, "arbiter": 8}
_RATE = {"matcher": 1.5e-3, "arbiter": 2e-3}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("network", choices=("matcher", "arbiter"))
    parser.add_argument("--examples", type=Path, required=True, help="the folder that examples.py wrote")
    parser.add_argument("--out", type=Path, required=True, help="the run's folder")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--from", dest="start", type=Path, metavar="FILE", help="begin with a checkpoint's weights")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    parser.add_argument("--batch", type=int, help="scenes at a time")
    parser.add_argument("--rate", type=float, help="the learning rate")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, help="of the processor")
    asked = parser.parse_args()
    if asked.threads:
        torch.set_num_threads(asked.threads)
    torch.manual_seed(asked.seed)
    asked.out.mkdir(parents=True, exist_ok=True)
    shards = Shards(asked.examples)
    print(f"{shards.look()} shards of examples.", file=sys.stderr)
    device = choose_device(asked.device)
    batch = asked.batch or _BATCH[asked.network] * (8 if device.name == "cuda" else 1)
    network: Matcher | Arbiter = Matcher() if asked.network == "matcher" else Arbiter()
    if asked.start:
        state = checkpoints.read(asked.start)
        if state is None:
            raise SystemExit(f"There is no file {asked.start}.")
        network.load_state_dict(state.get("average", state))
    rate = asked.rate or _RATE[asked.network] * (0.5 if asked.start else 1)
    plan = Plan(60 * asked.minutes, rate, 0.0 if asked.start else 0.4, 0.99, asked.seed)
    log = asked.out / "log.jsonl"

    def saved(average: nn.Module) -> None:
        curves.draw(log, asked.out / "curves.png")

    losses = (
        (lambda step: matcher_losses(network, shards, device, batch))
        if isinstance(network, Matcher)
        else (lambda step: arbiter_losses(network, shards, device, batch))
    )
    trained = fit(network, losses, plan, device, asked.out / f"{asked.network}.pt", log, saved)
    export(trained, asked.out / f"{asked.network}.onnx")
    print(f"The network is in {asked.out / asked.network}.onnx.")


if __name__ == "__main__":
    main()
