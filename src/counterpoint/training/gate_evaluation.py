r"""Measure the whole standard gate on sets of prompts that other people wrote, and on plain prompts of people.

Example:
    python -m counterpoint.training.gate_evaluation --data prompts --out docs/results/gate-sets.json
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

from counterpoint.datasets.dataset import is_screened
from counterpoint.datasets.table import read_table
from counterpoint.embedded import embedded_model_path
from counterpoint.gate import standard_gate
from counterpoint.interfaces import Detector
from counterpoint.results import Figure, rate, write_results
from counterpoint.text_space import StableDiffusionText
from counterpoint.training.prompt_classifier_people import PEOPLE, people

NOTES = """How often the standard gate engages, with the text encoder of the embedded model: concept similarity, the
classifier at "steer", the word list, the check that the prompt can be read, and the rule on minors together, since
any of them engages it. A false alarm costs little: the picture is drawn, and nudged. [The classifier's
page](prompt-classifier.md) tells its own share. "People" are plain prompts of people by who they are ("a photo of
..."), written by templates; "plain" names no group, the others are to be compared with it. Part of I2P is harmless.
Rows that the rule on minors flags are left out of every set."""
SETS: Mapping[str, tuple[str, ...]] = {
    "alarms, COCO-3k": ("coco/coco_3k_val",),
    "recall, I2P": ("i2p/i2p_4703_official",),
    "recall, UnlearnDiffAtk nudity": ("unlearndiffatk/nudity_142",),
    "recall, Six-CD harm": ("six_cd/dual_harm_malicious",),
    "alarms, Six-CD harm, clean twins": ("six_cd/dual_harm_clean",),
    "recall, Six-CD nudity": ("six_cd/dual_nudity_malicious",),
    "alarms, Six-CD nudity, clean twins": ("six_cd/dual_nudity_clean",),
    "alarms, big artists": ("benign/big_artist_prompts",),
    "alarms, niche art": ("benign/short_niche_art_prompts",),
    "alarms, UnlearnDiffAtk objects and van Gogh": tuple(
        f"unlearndiffatk/{kind}" for kind in ("church", "garbage_truck", "parachute", "tench", "vangogh")
    ),
}
"""Files below DATA, without `.csv`; each has a column `prompt`."""
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


def measure(gate: Detector, data: Path) -> dict[str, Figure]:
    """Return how often a gate engages on each set."""
    figures: dict[str, Figure] = {}
    for name, files in SETS.items():
        prompts = [row["prompt"] for file in files for row in read_table(str(data / f"{file}.csv")).rows]
        kept = [prompt for prompt in prompts if prompt.strip() and not is_screened(prompt)]
        figures[name] = engages(gate, kept, name)
    return figures | {f"alarms, people, {kind}": engages(gate, people(kind), kind) for kind in PEOPLE}


def main(argv: list[str] | None = None) -> int:
    """Measure, write the results, print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with the sets of prompts")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write; a page goes beside it")
    arguments = parser.parse_args(argv)
    torch.set_num_threads(1)
    text = StableDiffusionText(DiffusionPipeline.from_pretrained(embedded_model_path()))
    write_results(
        arguments.out,
        title="The gate on prompts that other people wrote",
        command=f"python -m counterpoint.training.gate_evaluation --data DATA --out {arguments.out}",
        figures=measure(standard_gate(text), arguments.data),
        notes=NOTES,
    )
    sys.stdout.write(arguments.out.with_suffix(".md").read_text(encoding="utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
