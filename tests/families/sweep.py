"""Count every picture pipeline of the installed diffusers: those that pass, and those that are refused.

    PYTHONPATH=src python tests/families/sweep.py --out docs/results/sweep.json

Whether a class passes is what `conformance.py` has written down.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import diffusers

from counterpoint.families.conformance import conformance
from counterpoint.families.sweep import Entry, sweep, unavailable
from counterpoint.results import Figure, write_results

NOTES = """Every class of diffusers {version} whose call takes a prompt and whose result is a picture: is it supported,
and does it pass on a tiny model with random weights, built without a hub? "Passes" means that each of these was tested
and holds:

{claims}

A refused class raises before anything is drawn; its reason is what the user reads. Counts are complete, so they have no
interval. Video pipelines (Wan and LTX are supported) are not counted here."""


def page(entries: Sequence[Entry], results: dict[str, str]) -> str:
    """Return the table of all classes: those that pass, then the others."""
    rows = ["| pipeline | takes | result |", "|---|---|---|"]
    for entry in sorted(entries, key=lambda entry: (entry.family is None, entry.pipeline)):
        result = results[entry.pipeline] if entry.family is not None else f"refused: {entry.reason}"
        rows.append(f"| `{entry.pipeline}` | {entry.takes} | {result} |")
    return "\n".join(rows)


def figures_of(entries: Sequence[Entry], results: dict[str, str]) -> dict[str, Figure]:
    """Return the counts, of all classes and of those that take text alone, and how often each reason counts."""
    figures: dict[str, Figure] = {}
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
    """Count, write, print the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write; the page goes beside it")
    out: Path = parser.parse_args().out
    if lacking := unavailable():
        parser.error(f"install what these need, they would not be counted: {lacking}")
    record, entries = conformance(), sweep()
    if record.diffusers != diffusers.__version__:
        parser.error(f"run conformance.py first: its record is of diffusers {record.diffusers}")
    results = {
        entry.pipeline: "passes" if record.passes(entry.pipeline) else record.verdict(entry.pipeline)
        for entry in entries
        if entry.family is not None
    }
    claims = "\n".join(f"- {title}" for title in record.claims)
    write_results(
        out,
        title="The sweep over diffusers' pipelines",
        command=f"PYTHONPATH=src python tests/families/sweep.py --out {out}",
        figures=figures_of(entries, results),
        notes=NOTES.format(version=diffusers.__version__, claims=claims) + "\n\n" + page(entries, results),
    )
    sys.stdout.write(out.with_suffix(".md").read_text(encoding="utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
