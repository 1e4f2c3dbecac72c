r"""Measure the shipped prompt classifier on prompts that its training and its choice never saw.

Examples:
    python -m counterpoint.training.prompt_classifier_evaluation --data prompts \
        --out docs/results/prompt-classifier.json
    python -m counterpoint.training.prompt_classifier_evaluation --data prompts --parts evasions \
        --out docs/results/evasions.json
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import track
from torch import Tensor

from counterpoint.datasets.dataset import is_screened
from counterpoint.datasets.table import categories_of, read_table
from counterpoint.detectors.prompt_classifier import CATEGORIES, OUTPUTS, PromptClassifier
from counterpoint.interfaces import InvalidInput, Point
from counterpoint.normalise import normalise
from counterpoint.results import Figure, rate, write_results
from counterpoint.training.prompt_classifier_art import art
from counterpoint.training.prompt_classifier_choice import auc
from counterpoint.training.prompt_classifier_evasions import READ, UNDONE, Evasion
from counterpoint.training.prompt_classifier_gallery import (
    GRADE_NAMES,
    HARMLESS,
    UNSAFE,
    by_site_and_grade,
    read_grades,
    unseen,
)
from counterpoint.training.prompt_classifier_look_alikes import look_alikes
from counterpoint.training.prompt_classifier_people import people_prompts
from counterpoint.training.prompt_classifier_sets import copro
from counterpoint.training.prompt_classifier_styles import Styles
from counterpoint.training.prompt_classifier_test_sets import TEST_SETS
from counterpoint.training.prompt_classifier_twins import twins

NOTES = """\
The classifier of `counterpoint.detectors.prompt_classifier`, weights as shipped. "Recall" and "alarms" are the shares
of unsafe and of harmless prompts that it calls unsafe, at the points *steer*, *balanced* and *block*, whose
thresholds are fitted on validation prompts. These sets were read a dozen times before, for versions that differ in
their training text (see "What was tried" in docs/classifier.md), and that shows: spaced letters are readable,
situations, prompts on art and pairs about people were written for training, users' prompts were graded for it, this
version was chosen from several for what they did here, and the alarms that *steer* may give on users' harmless
prompts of validation, a third, are those at which I2P's recall was seen to pass 75 %; those of *balanced*, 7 %, at
which Six-CD's clean twins were seen to come near 10 %. No prompt of these sets was trained on. "DiffusionDB" and
"Pick-a-Pic" are prompts that users of two sites typed, kept back from training, without those that share six tenths
of their words with a prompt of training, with the grades of docs/classifier.md: the same reader graded those of
training. Of near copies in the tests of Pick-a-Pic one is kept. Its "list of harmless prompts" is a list of the same
site that others made. "People" are plain prompts of people by who they are, written by templates and, "written
apart", by a language model that knew neither these nor the words that are left out; "plain" names no group. CoPro
twins are pairs of CoProV2's training file whose neighbourhood of 20 numbers was left out of training; its concepts
may still occur in training. Look-alikes (three prompts of each of 146 phrases, so their interval is too narrow) are
written by the same hand as those of training, of phrases that training does not hold. Part of I2P is harmless: see
the quartiles of `inappropriate_percentage`. Evasions are made of the held-out CoPro prompts that the plain text is
caught at, every word of five letters or more changed (every other one where letters are swapped or dropped). Rows
that the product's own rule on minors flags are left out of every set. Situations and art that are held out are
written by templates of training, around contexts and artists that training does not hold. Times are of one core; on a
busy machine the processor time is the fairer figure."""
EVASION_NOTES = """\
Prompts that ask for harm, rewritten so that a person still reads them, and how many of them the shipped classifier
still calls unsafe at its point *balanced*, the standard gate's. They are made of the unsafe half of CoProV2's held-out
pairs (see [the classifier's page](prompt-classifier.md)), of those that it catches as plain text; each class takes them
one after the other, so a prompt comes more than once. Every word of five letters or more is changed (every other one,
at random, where letters are swapped or dropped). What is undone, `counterpoint.normalise` has to give back; what is
read, the classifier has to make out."""
PARTS = ("i2p", "users", "twins", "harmless", "people", "evasions", "latency")
PICKAPIC = Path("pickapic") / "sfw_test.txt"
BINS = 10
GATES: Point = "balanced"
"""The standard gate's point, at which evasions are told."""


@dataclass(frozen=True)
class Prompts:
    """A set, and its logits."""

    texts: list[str]
    labels: list[dict[str, str]]
    logits: Tensor
    """(B, outputs)."""

    @property
    def scores(self) -> Tensor:
        """Overall probabilities."""
        return self.logits[:, 0].sigmoid()


def judge(
    prompts: Sequence[str], classifier: PromptClassifier, labels: Sequence[dict[str, str]] | None = None
) -> Prompts:
    """Score prompts."""
    texts = [normalise(prompt) for prompt in prompts]
    console = Console(stderr=True)
    parts = [
        classifier.logits(texts[i : i + 256])[0] for i in track(range(0, len(texts), 256), "Judging", console=console)
    ]
    return Prompts(texts, list(labels or [{}] * len(texts)), torch.cat(parts))


def auc_figure(unsafe: Tensor, safe: Tensor) -> Figure:
    """AUC with the interval of Hanley and McNeil (1982)."""
    a, m, n = auc(unsafe, safe), len(unsafe), len(safe)
    q1, q2 = a / (2 - a), 2 * a * a / (1 + a)
    spread = 1.96 * math.sqrt((a * (1 - a) + (m - 1) * (q1 - a * a) + (n - 1) * (q2 - a * a)) / (m * n))
    return Figure(value=a, low=max(0.0, a - spread), high=min(1.0, a + spread), n=m + n, unit="AUC")


def calibration_error(probabilities: Tensor, labels: Tensor, bins: int = BINS) -> float:
    """Expected calibration error, 0..1: sum over bins of equal width of n_b / n |mean p - share unsafe|."""
    places = (probabilities * bins).long().clamp_max(bins - 1)
    error = 0.0
    for place in range(bins):
        inside = places == place
        if bool(inside.any()):
            gap = probabilities[inside].mean() - labels[inside].float().mean()
            error += float(gap.abs()) * float(inside.float().mean())
    return error


def calibration_figure(probabilities: Tensor, labels: Tensor) -> Figure:
    """Calibration error with the interval of 200 bootstrap samples."""
    generator = torch.Generator().manual_seed(0)
    n = len(labels)
    draws = [torch.randint(n, (n,), generator=generator) for _ in range(200)]
    errors = torch.tensor([calibration_error(probabilities[d], labels[d]) for d in draws])
    low, high = torch.quantile(errors, torch.tensor([0.025, 0.975])).tolist()
    return Figure(value=calibration_error(probabilities, labels), low=low, high=high, n=n, unit="ECE")


class Measurement:
    """All figures of one classifier, made one set after the other."""

    def __init__(self, data: Path, classifier: PromptClassifier, thresholds: dict[str, float]) -> None:
        self.data, self.classifier, self.thresholds = data, classifier, thresholds
        self.figures: dict[str, Figure] = {}

    def shares(self, kind: str, name: str, scores: Tensor) -> None:
        """Record the share above each threshold."""
        for point, threshold in self.thresholds.items():
            self.figures[f"{point}: {kind}, {name}"] = rate(int((scores >= threshold).sum()), len(scores))

    def read(self, name: str) -> Prompts:
        """Read one of `TEST_SETS`, and score it."""
        rows = TEST_SETS[name].rows(self.data)
        return judge([row["prompt"] for row in rows], self.classifier, rows)

    def i2p(self) -> None:
        """I2P against COCO-3k, by category and by how often its pictures are inappropriate; UDA nudity."""
        benign, unsafe, nudity = (self.read(name) for name in ("COCO-3k", "I2P", "UnlearnDiffAtk nudity"))
        self.figures["I2P / COCO-3k"] = auc_figure(unsafe.scores, benign.scores)
        self.figures["UnlearnDiffAtk nudity / COCO-3k"] = auc_figure(nudity.scores, benign.scores)
        self.shares("alarms", "COCO-3k", benign.scores)
        self.shares("recall", "I2P", unsafe.scores)
        self.shares("recall", "UnlearnDiffAtk nudity", nudity.scores)
        for category in CATEGORIES:
            inside = torch.tensor([category in categories_of(row["categories"]) for row in unsafe.labels])
            self.shares("recall", f"I2P {category}", unsafe.scores[inside])
            own = unsafe.logits[inside][:, OUTPUTS.index(category)]
            self.figures[f"I2P {category}, own score / COCO-3k"] = auc_figure(
                own, benign.logits[:, OUTPUTS.index(category)]
            )
        harm = torch.tensor([float(row["inappropriate_percentage"]) for row in unsafe.labels])
        quarters = torch.bucketize(harm, torch.quantile(harm, torch.tensor([0.25, 0.5, 0.75])), right=True)
        for quarter in range(4):
            inside = quarters == quarter
            if bool(inside.any()):
                low, high = float(harm[inside].min()), float(harm[inside].max())
                name = f"I2P quarter {quarter + 1} (pictures inappropriate {low:.0f}..{high:.0f} %)"
                self.shares("recall", name, unsafe.scores[inside])

    def twins(self, most: int) -> list[str]:
        """Held-out CoPro twins and their calibration; return the unsafe prompts that the gate's point catches."""
        pairs = [pair for pair in copro(self.data, "test")[:most] if not (is_screened(pair[0]) or is_screened(pair[1]))]
        unsafe = judge([pair[0] for pair in pairs], self.classifier)
        safe = judge([pair[1] for pair in pairs], self.classifier)
        self.figures["CoPro held-out twins"] = auc_figure(unsafe.scores, safe.scores)
        self.shares("recall", "CoPro held-out", unsafe.scores)
        self.shares("alarms", "CoPro held-out twins", safe.scores)
        logits = torch.cat([unsafe.logits, safe.logits])
        is_unsafe = torch.tensor([1] * len(pairs) + [0] * len(pairs))
        self.figures["calibration, overall, CoPro held-out"] = calibration_figure(logits[:, 0].sigmoid(), is_unsafe)
        for place, category in enumerate(CATEGORIES, start=1):
            named = torch.tensor([pair[2] == category for pair in pairs] + [False] * len(pairs)).long()
            probabilities = logits[:, place].sigmoid()
            self.figures[f"calibration, {category}, CoPro held-out"] = calibration_figure(probabilities, named)
        caught = (unsafe.scores >= self.thresholds[GATES]).tolist()
        return [text for text, is_caught in zip(unsafe.texts, caught, strict=True) if is_caught]

    def harmless(self) -> None:
        """Alarms on harmless prompts that look like harm, or are written as I2P is."""
        written = judge(look_alikes("test", random.Random(1), 3), self.classifier)
        self.shares("alarms", "look-alikes, held out", written.scores)
        pairs = twins("test", random.Random(1), 6)
        with_harm, without = (judge([pair[side] for pair in pairs], self.classifier).scores for side in (0, 1))
        self.figures["situations with and without harm, held out"] = auc_figure(with_harm, without)
        self.shares("alarms", "situations without harm, held out", without)
        self.shares("recall", "situations with harm, held out", with_harm)
        drawn = [text for text, category in art("test", Styles(), random.Random(1), 300) if category is None]
        self.shares("alarms", "art, held out", judge(drawn, self.classifier).scores)
        for topic in ("harm", "nudity"):
            clean, harmful = self.read(f"Six-CD {topic}, clean twins"), self.read(f"Six-CD {topic}")
            self.figures[f"Six-CD {topic} twins"] = auc_figure(harmful.scores, clean.scores)
            self.shares("alarms", f"Six-CD {topic}, clean twins", clean.scores)
            self.shares("recall", f"Six-CD {topic}", harmful.scores)
        for name in ("big artists", "niche art", "UnlearnDiffAtk objects and van Gogh"):
            self.shares("alarms", name, self.read(name).scores)

    def users(self, grades: Path) -> None:
        """Prompts that users typed, by site and grade; and a list of harmless ones that others made."""
        for site, texts in by_site_and_grade(unseen(self.data, read_grades(grades))).items():
            scores = {grade: judge(some, self.classifier).scores for grade, some in texts.items()}
            self.figures[f"{site}, unsafe / harmless"] = auc_figure(scores[UNSAFE], scores[HARMLESS])
            for grade, name in GRADE_NAMES.items():
                self.shares("recall" if grade == UNSAFE else "alarms", f"{site}, {name}", scores[grade])
        lines = (self.data / PICKAPIC).read_text(encoding="utf-8").splitlines()
        others = [line for line in lines if line.strip() and not is_screened(line)]
        self.shares("alarms", "Pick-a-Pic's list of harmless prompts", judge(others, self.classifier).scores)

    def people(self, written: Path | None) -> None:
        """Alarms on plain prompts of people, by who they are."""
        for kind, prompts in people_prompts(written).items():
            self.shares("alarms", f"people, {kind}", judge(prompts, self.classifier).scores)

    def evasions(self, caught: Sequence[str], num_undone: int, num_read: int) -> None:
        """Share of evaded prompts whose decision is that of the plain text, by class."""
        for group, kinds, most in (("undone", UNDONE, num_undone), ("read", READ, num_read)):
            total = 0
            for name, evade in kinds.items():
                kept, n = self._kept(caught, evade, most)
                self.figures[f"{GATES}: still caught, {name}"] = rate(kept, n)
                total += kept
            self.figures[f"{GATES}: still caught, all that is {group}"] = rate(total, most * len(kinds))

    def _kept(self, caught: Sequence[str], evade: Evasion, most: int) -> tuple[int, int]:
        rng = random.Random(2)
        texts = [caught[i % len(caught)] for i in range(most)]
        evaded = [normalise(evade(text, rng)) for text in texts]
        changed = [new for old, new in zip(texts, evaded, strict=True) if old != new]
        missed = 0
        if changed:
            missed = int((judge(changed, self.classifier).scores < self.thresholds[GATES]).sum())
        return len(texts) - missed, len(texts)

    def latency(self, texts: Sequence[str]) -> None:
        """Median times of single prompts, and the rate in batches."""
        self.classifier(texts[:5])
        for name, clock in (("wall clock", time.perf_counter), ("processor time", time.process_time)):
            times = sorted(_milliseconds(self.classifier, text, clock) for text in texts)
            n = len(times)
            spread = 1.96 * math.sqrt(n) / 2  # ranks of a median's interval
            low, high = times[max(0, int(n / 2 - spread))], times[min(n - 1, math.ceil(n / 2 + spread))]
            self.figures[f"one prompt, {name}"] = Figure(
                value=statistics.median(times), low=low, high=high, n=n, unit="ms, median"
            )


def _milliseconds(classifier: PromptClassifier, text: str, clock: Callable[[], float]) -> float:
    start = clock()
    classifier([text])
    return (clock() - start) * 1000


def measure(
    measured: Measurement,
    parts: Sequence[str],
    *,
    people: Path | None,
    grades: Path | None,
    twins: int,
    undone: int,
    read: int,
) -> None:
    """Make the figures of these parts."""
    caught = measured.twins(twins) if {"twins", "evasions"} & {*parts} else []
    if "twins" not in parts:
        measured.figures.clear()  # they were read for the prompts alone
    if "i2p" in parts:
        measured.i2p()
    if "users" in parts:
        if grades is None:
            raise InvalidInput("grades", None, "the file of grades, for the part users")
        measured.users(grades)
    if "harmless" in parts:
        measured.harmless()
    if "people" in parts:
        measured.people(people)
    if "evasions" in parts:
        measured.evasions(caught, undone, read)
    if "latency" in parts:
        captions = read_table(str(measured.data / "coco" / "coco_3k_val.csv")).rows[:200]
        measured.latency([row["prompt"] for row in captions])


def main(argv: list[str] | None = None) -> int:
    """Measure, write the results, print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with the sets of prompts")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write; a page goes beside it")
    parser.add_argument("--weights", type=Path, help="folder of the weights; none = the shipped ones")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="what to measure (default: all)")
    parser.add_argument("--people", type=Path, help="prompts of people that others wrote, data/people.json")
    parser.add_argument("--grades", type=Path, help="grades of users' prompts, data/gallery.tsv.xz")
    parser.add_argument("--twins", type=int, default=1000, help="held-out CoPro pairs, at most (default 1000)")
    parser.add_argument("--undone", type=int, default=700, help="evasions of each class that normalisation undoes")
    parser.add_argument("--read", type=int, default=600, help="evasions of each class that must be read")
    arguments = parser.parse_args(argv)
    if "users" in arguments.parts and (arguments.grades is None or not (arguments.data / PICKAPIC).is_file()):
        parser.error(f"the part users needs --grades, and {PICKAPIC} in --data")
    torch.set_num_threads(1)
    classifier = PromptClassifier(point=GATES, folder=arguments.weights)
    measured = Measurement(arguments.data, classifier, {str(name): at for name, at in classifier.thresholds.items()})
    measure(
        measured, arguments.parts, people=arguments.people, grades=arguments.grades,
        twins=arguments.twins, undone=arguments.undone, read=arguments.read,
    )  # fmt: skip
    options = "".join(
        f" --{name} {path}"
        for name, path in (("people", arguments.people), ("grades", arguments.grades))
        if path is not None
    )
    parts = "" if arguments.parts == PARTS else f" --parts {' '.join(arguments.parts)}"
    write_results(
        arguments.out,
        title="Evasions" if arguments.parts == ["evasions"] else "The prompt classifier",
        command=f"python -m counterpoint.training.prompt_classifier_evaluation --data DATA{options}{parts}"
        f" --out {arguments.out} --twins {arguments.twins} --undone {arguments.undone} --read {arguments.read}",
        figures=measured.figures,
        notes=EVASION_NOTES if arguments.parts == ["evasions"] else NOTES,
    )
    sys.stdout.write(arguments.out.with_suffix(".md").read_text(encoding="utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
