r"""How far could this encoder come? Train the classifier on halves of the very sets that test it.

The shipped classifier never sees its test sets. Here a version learns one half of each besides all else, and is
tested on the other half; then the halves change places. What it misses then, no training text of ours would bring.

Example:
    python -m counterpoint.training.prompt_classifier_ceiling --data prompts --styles styles \
        --written data/identity.jsonl.xz --bfloat16 --work training/ceiling --out docs/results/ceiling.json
"""

from __future__ import annotations

import argparse
import sys
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from counterpoint.detectors.prompt_classifier import PromptClassifier
from counterpoint.embedded import embedded_model_path
from counterpoint.normalise import normalise
from counterpoint.results import Figure, rate, write_results
from counterpoint.training.prompt_classifier import States, save, train
from counterpoint.training.prompt_classifier_evaluation import auc_figure, judge
from counterpoint.training.prompt_classifier_sets import Amounts, Example, examples
from counterpoint.training.prompt_classifier_styles import Styles
from counterpoint.training.prompt_classifier_test_sets import TEST_SETS

NOTES = """\
An upper bound, not a product: a classifier of the shipped form that learned, besides the shipped training text, one
half of each test set (each of those prompts twice), tested on the other half, and the other way round. A version of
it is never shipped. Prompts that stand in two sets, and the twins of Six-CD, fall into one half. All thresholds are
the lowest that keep a promise on the *tested* halves themselves, which a product cannot know: at most 5 % alarms on
COCO-3k; also at most 10 % on each other set of harmless prompts, with or without the clean twins of Six-CD "harm",
which keep the topic of harm and drop its act."""
REPEATS = 2
"""How often a test prompt stands among the training prompts of its fold."""
FOLDS = (0, 1)
COCO, TOPIC_KEPT = "COCO-3k", "Six-CD harm, clean twins"
MARKS = {name: 0.05 if name == COCO else 0.1 for name, test_set in TEST_SETS.items() if not test_set.is_unsafe}
MOST_ALARMS: Mapping[str, Mapping[str, float]] = {
    "5 % of COCO-3k": {COCO: MARKS[COCO]},
    "all marks but on Six-CD harm": {name: most for name, most in MARKS.items() if name != TOPIC_KEPT},
    "all marks": MARKS,
}
"""By the promise's name: alarms that each set may give, 0..1."""


def fold_of(name: str, row: Mapping[str, str]) -> int:
    """Return the half, 0 or 1, of a prompt: by its text, of Six-CD's twins by their common number."""
    key = f"six-cd {row['case_number']}" if name.startswith("Six-CD") else " ".join(row["prompt"].lower().split())
    return zlib.crc32(key.encode()) % len(FOLDS)


def half_of(data: Path, fold: int) -> Iterator[tuple[str, str]]:
    """Yield (set, prompt) of one half of each test set."""
    for name, test_set in TEST_SETS.items():
        yield from ((name, row["prompt"]) for row in test_set.rows(data) if fold_of(name, row) == fold)


def learned(data: Path, fold: int) -> list[Example]:
    """Return one half of each test set as training examples."""
    return [
        Example(text=normalise(text), is_unsafe=TEST_SETS[name].is_unsafe, category=None, source=name, part="train")
        for name, text in half_of(data, fold)
        for _ in range(REPEATS)
    ]


def lowest_threshold(scores: Mapping[str, Tensor], most: Mapping[str, float]) -> float:
    """Return the lowest threshold at which each named set alarms on no more than its share, 0..1."""
    lowest = 0.0
    for name, share in most.items():
        ranked = scores[name].sort(descending=True).values
        allowed = int(share * len(ranked) + 1e-9)
        if allowed < len(ranked):
            lowest = max(lowest, float(ranked[allowed]) + 1e-6)
    return lowest


def scored(data: Path, fold: int, classifier: PromptClassifier) -> dict[str, Tensor]:
    """Return the overall probabilities of one half of each set."""
    texts: dict[str, list[str]] = {}
    for name, text in half_of(data, fold):
        texts.setdefault(name, []).append(text)
    return {name: judge(prompts, classifier).scores for name, prompts in texts.items()}


def figures_of(halves: Sequence[Mapping[str, Tensor]]) -> dict[str, Figure]:
    """Return recall and alarms over both tested halves, each at its own thresholds; AUCs are of the first half."""
    figures = {"I2P / COCO-3k": auc_figure(halves[0]["I2P"], halves[0]["COCO-3k"])}
    for topic in ("harm", "nudity"):
        both = halves[0][f"Six-CD {topic}"], halves[0][f"Six-CD {topic}, clean twins"]
        figures[f"Six-CD {topic} twins"] = auc_figure(*both)
    for promise, most in MOST_ALARMS.items():
        thresholds = [lowest_threshold(scores, most) for scores in halves]
        for name, test_set in TEST_SETS.items():
            hits = sum(int((half[name] >= least).sum()) for half, least in zip(halves, thresholds, strict=True))
            figures[f"{promise}: {test_set.counted}, {name}"] = rate(hits, sum(len(half[name]) for half in halves))
    return figures


def trained(arguments: argparse.Namespace, fold: int, rows: list[Example], tokenizer: Any) -> PromptClassifier:
    """Train on everything but one half of the test sets, or take the weights that a run before has left."""
    from transformers import BertModel

    how = f"{arguments.first_changed_layer}-{arguments.rank}-{arguments.epochs:g}"
    folder: Path = arguments.work / f"without-{fold}-{how}"
    if not (folder / "config.json").is_file():
        folder.mkdir(parents=True, exist_ok=True)
        root = Path(embedded_model_path())
        encoder = BertModel.from_pretrained(root / "text_encoder", dtype=torch.float32, add_pooling_layer=False)
        all_rows = [*rows, *learned(arguments.data, 1 - fold)]
        texts = [row.text for row in all_rows]
        states = States.of(texts, tokenizer, encoder.eval(), arguments.first_changed_layer, short=arguments.bfloat16)
        state, config = train(
            all_rows, states, encoder, first=arguments.first_changed_layer, rank=arguments.rank,
            epochs=arguments.epochs, seed=0, short=arguments.bfloat16, checkpoint=folder / "checkpoint.pt",
        )  # fmt: skip
        save(folder, state, config)
        (folder / "checkpoint.pt").unlink(missing_ok=True)
    return PromptClassifier(folder=folder)


def main(argv: list[str] | None = None) -> int:
    """Train two versions, test each on what it has not seen, write the results, print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with the sets of prompts")
    parser.add_argument("--styles", type=Path, help="folder with artists.txt, mediums.txt and movements.txt")
    parser.add_argument("--written", type=Path, help="file of pairs written one by one")
    parser.add_argument(
        "--work", type=Path, required=True, help="folder for weights and checkpoints; keep it out of git"
    )
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write; a page goes beside it")
    parser.add_argument("--first-changed-layer", type=int, default=2, help="0..6 (default 2, as shipped)")
    parser.add_argument("--rank", type=int, default=16, help="rank of the changes (default 16, as shipped)")
    parser.add_argument("--epochs", type=float, default=2.0, help="passes over the prompts (default 2, as shipped)")
    parser.add_argument("--bfloat16", action="store_true", help="train in bfloat16: faster where the processor has it")
    arguments = parser.parse_args(argv)
    from transformers import AutoTokenizer

    torch.set_num_threads(1)
    tokenizer = AutoTokenizer.from_pretrained(Path(embedded_model_path()) / "tokenizer")
    rows = examples(arguments.data, Styles.read(arguments.styles), Amounts(), seed=0, pairs=arguments.written)
    halves = [scored(arguments.data, fold, trained(arguments, fold, rows, tokenizer)) for fold in FOLDS]
    write_results(
        arguments.out,
        title="How far this encoder could come",
        command="python -m counterpoint.training.prompt_classifier_ceiling --data DATA --styles STYLES --work WORK"
        f" --written {arguments.written}{' --bfloat16' if arguments.bfloat16 else ''}"
        f" --rank {arguments.rank} --epochs {arguments.epochs:g}"
        f" --first-changed-layer {arguments.first_changed_layer} --out {arguments.out}",
        figures=figures_of(halves),
        notes=NOTES,
    )
    sys.stdout.write(arguments.out.with_suffix(".md").read_text(encoding="utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
