"""Try every picture pipeline of the installed diffusers on tiny models, and write the page.

    PYTHONPATH=src python tests/families/sweep.py --out docs/results/sweep.json

It stands with the tests because the tiny models do. A class passes where a harmless call is the plain
one bit for bit, and an unsafe call at full weight is the plain call on the safe prompt.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import diffusers
import torch

from counterpoint.families.sweep import Entry, sweep
from counterpoint.results import Figure, write_results

NOTES = """Every class of diffusers {version} whose call takes a prompt and whose result is a picture: is it supported,
and does it pass on a tiny model with random weights, built without a hub? "Passes" means that a harmless call is the
plain pipeline's bit for bit, and that an unsafe call at full weight is the plain call on the safe prompt to within
0.1 % of the difference between the two prompts. A refused class raises before anything is drawn; its reason is what
the user reads. Counts are complete, so they have no interval. Video pipelines (Wan and LTX are supported) are not
counted here."""


def trial(name: str) -> str:
    """Return "passes", or what went wrong."""
    from conftest import BUILDERS  # the tests' own: this folder is on the path of a script in it
    from test_conformance import BENIGN, SAFE, UNSAFE, distance, guard, run

    try:
        pipe = BUILDERS[name](name)
        pipe.set_progress_bar_config(disable=True)
        safe = guard(pipe)
        if not torch.equal(run(safe, name, BENIGN)[0], run(pipe, name, BENIGN)[0]):
            return "fails: a harmless call differs from the plain one"
        original, expected = run(pipe, name, UNSAFE)[0], run(pipe, name, SAFE)[0]
        if distance(run(safe, name, UNSAFE, safety="max")[0], expected) > 1e-3 * distance(original, expected):
            return "fails: full weight is not the safe prompt's picture"
    except Exception as error:  # the page says what happened, whatever it was
        return f"fails: {type(error).__name__}: {error}"
    return "passes"


def page(entries: Sequence[Entry], results: dict[str, str]) -> str:
    """Return the table of all classes: those that pass, then the others."""
    rows = ["| pipeline | takes | result |", "|---|---|---|"]
    for entry in sorted(entries, key=lambda entry: (entry.family is None, entry.pipeline)):
        result = results[entry.pipeline] if entry.family is not None else f"refused: {entry.reason}"
        rows.append(f"| `{entry.pipeline}` | {entry.takes} | {result} |")
    return "\n".join(rows)


def figures_of(entries: Sequence[Entry], results: dict[str, str]) -> dict[str, Figure]:
    """Return the counts, of all classes and of those that take text alone, and how often each reason counts."""
    figures = {}
    for label, chosen in (("all", entries), ("text alone", [e for e in entries if e.takes == "text"])):
        passed = sum(results.get(entry.pipeline) == "passes" for entry in chosen)
        supported = sum(entry.family is not None for entry in chosen)
        figures |= {
            f"{label}: pass": _count(passed, len(chosen)),
            f"{label}: supported and fail": _count(supported - passed, len(chosen)),
            f"{label}: refused": _count(len(chosen) - supported, len(chosen)),
        }
    reasons = Counter(entry.reason for entry in entries if entry.family is None)
    return figures | {f"refused: {reason}": _count(count, len(entries)) for reason, count in reasons.most_common()}


def _count(value: int, n: int) -> Figure:
    return Figure(value=value, low=value, high=value, n=n, unit="classes")


def main() -> int:
    """Try, write, print the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write; the page goes beside it")
    out = parser.parse_args().out
    torch.set_num_threads(1)
    entries, results = sweep(), {}
    for entry in entries:
        if entry.family is not None:
            results[entry.pipeline] = trial(entry.pipeline)
            sys.stderr.write(f"{entry.pipeline}: {results[entry.pipeline]}\n")
    write_results(
        out,
        title="The sweep over diffusers' pipelines",
        command=f"PYTHONPATH=src python tests/families/sweep.py --out {out}",
        figures=figures_of(entries, results),
        notes=NOTES.format(version=diffusers.__version__) + "\n\n" + page(entries, results),
    )
    sys.stdout.write(out.with_suffix(".md").read_text(encoding="utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
