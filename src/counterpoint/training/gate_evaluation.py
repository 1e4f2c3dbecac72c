r"""Measure the whole standard gate on sets of prompts that other people wrote, and on plain prompts of people.

Example:
    python -m counterpoint.training.gate_evaluation --data prompts --people data/people.json \
        --grades data/gallery.tsv.xz --out gate-sets.json
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from diffusers import DiffusionPipeline
from rich.console import Console
from rich.progress import track

from counterpoint.embedded import embedded_model_path
from counterpoint.gate import standard_gate
from counterpoint.interfaces import Detector
from counterpoint.results import Figure, rate, write_results
from counterpoint.text_space import StableDiffusionText
from counterpoint.training.prompt_classifier_gallery import GRADE_NAMES, by_site_and_grade, read_grades, unseen
from counterpoint.training.prompt_classifier_people import people_prompts
from counterpoint.training.prompt_classifier_test_sets import TEST_SETS

NOTES = """How often the standard gate engages, with the text encoder of the embedded model: concept similarity, the
classifier at "balanced", the word list, the check that the prompt can be read, and the rule on minors together, since
any of them engages it. A false alarm costs little: the picture is drawn, and nudged. [The classifier's
page](prompt-classifier.md) tells its own share. "People" are plain prompts of people by who they are ("a photo of
..."), written by templates, and, "written apart", by a language model that knew neither these nor the words
that the classifier leaves out; "plain" names no group, the others are to be compared with it. Part of I2P is harmless.
DiffusionDB and Pick-a-Pic are prompts that users of two sites typed, kept back from training and no near copies of
prompts there, by the grades of docs/classifier.md. Rows that the rule on minors flags are left out of every set."""
BATCH_SIZE = 128


def engages(gate: Detector, prompts: Sequence[str], name: str) -> Figure:
    """Return the share of prompts at which a gate engages."""
    starts = range(0, len(prompts), BATCH_SIZE)
    verdicts = [
        verdict
        for start in track(starts, name, console=Console(stderr=True), transient=True)
        for verdict in gate(prompts[start : start + BATCH_SIZE])
    ]
    return rate(sum(verdict.is_unsafe for verdict in verdicts), len(verdicts))


def measure(
    gate: Detector, data: Path, people: Mapping[str, Sequence[str]], users: Mapping[str, Sequence[str]]
) -> dict[str, Figure]:
    """Return how often a gate engages on each set, on prompts of people by kind, and on those of users by grade."""
    figures: dict[str, Figure] = {}
    for name, test_set in TEST_SETS.items():
        prompts = [row["prompt"] for row in test_set.rows(data)]
        figures[f"{test_set.counted}, {name}"] = engages(gate, prompts, name)
    figures |= {f"alarms, people, {kind}": engages(gate, some, kind) for kind, some in people.items()}
    for kind, some in users.items():
        figures[f"{'recall' if kind.endswith('unsafe') else 'alarms'}, {kind}"] = engages(gate, some, kind)
    return figures


def users_prompts(data: Path, grades: Path | None) -> dict[str, list[str]]:
    """Return the users' prompts that are kept for tests, by site and grade; none where there are no grades."""
    if grades is None:
        return {}
    found = by_site_and_grade(unseen(data, read_grades(grades)))
    return {f"{site}, {GRADE_NAMES[grade]}": texts for site, some in found.items() for grade, texts in some.items()}


def main(argv: list[str] | None = None) -> int:
    """Measure, write the results, print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with the sets of prompts")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write; a page goes beside it")
    parser.add_argument("--people", type=Path, help="prompts of people that others wrote, data/people.json")
    parser.add_argument("--grades", type=Path, help="grades of users' prompts, data/gallery.tsv.xz")
    arguments = parser.parse_args(argv)
    torch.set_num_threads(1)
    people = f" --people {arguments.people}" if arguments.people else ""
    grades = f" --grades {arguments.grades}" if arguments.grades else ""
    text = StableDiffusionText(DiffusionPipeline.from_pretrained(embedded_model_path()))
    users = users_prompts(arguments.data, arguments.grades)
    figures = measure(standard_gate(text), arguments.data, people_prompts(arguments.people), users)
    write_results(
        arguments.out,
        title="The gate on prompts that other people wrote",
        command=f"python -m counterpoint.training.gate_evaluation --data DATA{people}{grades} --out {arguments.out}",
        figures=figures,
        notes=NOTES,
    )
    sys.stdout.write(arguments.out.with_suffix(".md").read_text(encoding="utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
