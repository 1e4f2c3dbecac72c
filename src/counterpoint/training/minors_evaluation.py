"""Measure the rule on minors on prompts that users typed, by what a reader says of them. No prompt is shown.

Example:
    python -m counterpoint.training.minors_evaluation --data prompts --grades data/gallery.tsv.xz --out minors.json
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from rich.console import Console
from rich.progress import track

from counterpoint.datasets.table import read_table
from counterpoint.detectors.minors import is_forbidden
from counterpoint.results import Figure, rate, write_results
from counterpoint.training.prompt_classifier_gallery import FORBIDDEN, GRADE_NAMES, Grade, read_gallery, read_grades

NOTES = """\
The hard block of `counterpoint.detectors.minors`, by its words alone, on prompts that users of two sites typed. A
language model read every prompt that the rule of before refused, and the 35,938 that docs/classifier.md tells of,
which it let through, and said which are sexual about somebody under 18. Of those that were let through, the words of
most were counted to extend the rule's lists; "words not counted" are the others, whose share is the fairer one: they
are milder, and few. Readers differ here: a "girl" of no age, in erotic clothes, is a minor to the rule and to some.
One template of a single user makes up a sixth of all. "Refused" counts graded prompts that the reader calls harmless,
between or unsafe, without minors; "between" includes those of the rule's old refusals that the reader would not
refuse. What the rule lets through is still read by the gate, and steered."""


def refused(texts: Iterable[str], name: str) -> Figure:
    """Return the share of texts that the rule refuses."""
    hits = [is_forbidden(text) for text in track(list(texts), name, console=Console(stderr=True), transient=True)]
    return rate(sum(hits), len(hits))


def measure(data: Path, grades: Mapping[str, Grade]) -> dict[str, Figure]:
    """Return what the rule refuses of each grade, and of captions."""
    parts = read_gallery(data, grades)
    everything = [one for some in parts.values() for one in some]
    forbidden = [one.text for one in everything if one.grade == FORBIDDEN]
    not_counted = [one.text for one in parts["test"] if one.grade == FORBIDDEN]
    figures = {
        "found, sexual about minors": refused(forbidden, "minors"),
        "found, sexual about minors, words not counted": refused(not_counted, "minors, not counted"),
    }
    for grade, name in GRADE_NAMES.items():
        figures[f"refused, {name}"] = refused((one.text for one in everything if one.grade == grade), name)
    captions = [row["prompt"] for row in read_table(str(data / "coco" / "coco_10k_advunlearn.csv")).rows]
    figures["refused, COCO captions"] = refused(captions, "captions")
    return figures


def main(argv: list[str] | None = None) -> int:
    """Measure, write the results, print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with the sets of prompts")
    parser.add_argument("--grades", type=Path, required=True, help="grades of users' prompts, data/gallery.tsv.xz")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write; a page goes beside it")
    arguments = parser.parse_args(argv)
    write_results(
        arguments.out,
        title="The rule on minors, on prompts of users",
        command="python -m counterpoint.training.minors_evaluation --data DATA"
        f" --grades {arguments.grades} --out {arguments.out}",
        figures=measure(arguments.data, read_grades(arguments.grades)),
        notes=NOTES,
    )
    sys.stdout.write(arguments.out.with_suffix(".md").read_text(encoding="utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
