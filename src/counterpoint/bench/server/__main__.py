"""Measure a really running server: under load, faults and time.

Examples:
    python -m counterpoint.bench.server load --out docs/results/server-load.json
    python -m counterpoint.bench.server faults --count 10000 --out docs/results/server-faults.json
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from counterpoint.bench.server import (
    batching,
    disconnects,
    faults,
    inputs,
    load,
    overload,
    planted,
    ready,
    sigterm,
    soak,
)
from counterpoint.results import Figure, write_results

WHERE = """

The embedded model draws pictures of 64 x 64 pixels in 2 steps, where no other number is named, on a CPU with {threads}
thread(s). Callers and server share the machine, which may have had other work: compare times with each other only."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """One sub-command: what it measures, and how its page is called."""

    title: str
    about: str
    measure: Callable[[int, int], dict[str, Figure]]
    """From count and threads."""
    count: int
    counted: str


PARTS = {
    "load": Part(
        title="The server under load", about=load.NOTES, measure=load.measure, count=2000, counted="requests"
    ),
    "overload": Part(
        title="The server overloaded", about=overload.NOTES, measure=overload.measure, count=60,
        counted="seconds of overload",
    ),
    "disconnects": Part(
        title="Clients that go away", about=disconnects.NOTES, measure=disconnects.measure, count=200,
        counted="connections that are cut",
    ),
    "sigterm": Part(
        title="Stopping the server", about=sigterm.NOTES, measure=sigterm.measure, count=50, counted="trials"
    ),
    "faults": Part(
        title="Faults inside the server", about=faults.NOTES, measure=faults.measure, count=10_000,
        counted="injections",
    ),
    "inputs": Part(
        title="Wrong requests, pictures and names", about=inputs.NOTES, measure=inputs.measure, count=inputs.FULL,
        counted="bad requests, all others in proportion",
    ),
    "batching": Part(
        title="Requests drawn together", about=batching.NOTES, measure=batching.measure, count=64,
        counted="requests of a round",
    ),
    "soak": Part(
        title="Many requests, one process", about=soak.NOTES, measure=soak.measure, count=6000, counted="requests"
    ),
    "secrets": Part(
        title="Secrets in log and metrics", about=planted.NOTES, measure=planted.measure, count=100,
        counted="planted words",
    ),
    "ready": Part(title="Start to ready", about=ready.NOTES, measure=ready.measure, count=5, counted="starts"),
}  # fmt: skip


def build_parser() -> argparse.ArgumentParser:
    """Command line: one sub-command per page of docs/results."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="python -m counterpoint.bench.server", description=__doc__, formatter_class=raw
    )
    commands = parser.add_subparsers(dest="name", required=True)
    for name, part in PARTS.items():
        command = commands.add_parser(name, help=part.title)
        command.add_argument("--out", type=Path, required=True, help="JSON file to write; a page goes beside it")
        command.add_argument("--count", type=int, default=part.count, help=f"{part.counted} (default %(default)s)")
        command.add_argument("--threads", type=int, default=1, help="CPU threads that compute (default %(default)s)")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Measure, write the results, print them."""
    parser = build_parser()
    arguments = parser.parse_args(argv)
    for option in ("count", "threads"):
        if getattr(arguments, option) < 1:
            parser.error(f"--{option}: got {getattr(arguments, option)}; allowed: from 1")
    torch.set_num_threads(arguments.threads)
    part = PARTS[arguments.name]
    figures = part.measure(arguments.count, arguments.threads)
    write_results(
        arguments.out,
        title=part.title,
        command=f"python -m counterpoint.bench.server {arguments.name} --out {arguments.out} "
        f"--count {arguments.count} --threads {arguments.threads}",
        figures=figures,
        notes=part.about + WHERE.format(threads=arguments.threads),
    )
    sys.stdout.write(arguments.out.with_suffix(".md").read_text(encoding="utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
