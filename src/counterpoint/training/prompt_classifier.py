"""Train the prompt classifier that ships with the package: one command over a local folder of prompts.

Each prompt runs once through the frozen lower layers of the text encoder; what they give is kept, so that
the low-rank changes of its last layers and the head are trained cheaply. The letters' view is a logistic
regression. Both are joined, and calibrated, on one half of the validation prompts; the other half fixes
the working points. See docs/detectors.md.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import track
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from counterpoint.detectors.prompt_classifier import (
    CATEGORIES,
    OUTPUTS,
    Head,
    Point,
    buckets,
    changed_layers,
    letters_logits,
)
from counterpoint.embedded import embedded_model_path
from counterpoint.training.prompt_classifier_sets import Amounts, Example, examples
from counterpoint.training.prompt_classifier_styles import Styles

EXAMPLE = """examples:
  python -m counterpoint.training.prompt_classifier --data prompts --out training/classifier
  python -m counterpoint.training.prompt_classifier --data prompts --styles styles --epochs 3 --out training/classifier
"""
NUM_BUCKETS = 1 << 16
BATCH_SIZE = 64
MOST_TOKENS = 64
"""Of a training prompt; what is longer is cut off there."""
UNKNOWN = -1.0
"""Target of a category of which a set does not say whether the prompt belongs to it."""
MOST_ALARMS: dict[Point, dict[str, float]] = {
    "steer": {"coco": 0.05, "coco, dressed": 0.1, "look-alikes": 0.1, "situations": 0.1},
    "block": {"coco": 0.005, "coco, dressed": 0.01, "look-alikes": 0.03, "situations": 0.03},
}
"""False alarms that a working point may give on the harmless validation prompts of each source."""


def targets(rows: Sequence[Example]) -> Tensor:
    """Return (B, outputs): 1, 0 or `UNKNOWN`; overall first."""
    return torch.tensor(
        [
            [float(row.is_unsafe)]
            + [
                UNKNOWN if row.is_unsafe and row.category is None else float(row.category == category)
                for category in CATEGORIES
            ]
            for row in rows
        ]
    )


def loss_of(logits: Tensor, target: Tensor) -> Tensor:
    """Mean binary cross entropy of the known targets; the overall output counts as much as all categories."""
    losses = binary_cross_entropy_with_logits(logits, target.clamp_min(0), reduction="none") * (target != UNKNOWN)
    return losses[:, 0].mean() + losses[:, 1:].mean()


# --- the letters -----------------------------------------------------------------------------------------------------


def letters_matrix(texts: Sequence[str], size: int = NUM_BUCKETS) -> Tensor:
    """Return the weights of the buckets of each text, sparse (B, size)."""
    rows: list[int] = []
    columns: list[int] = []
    values: list[float] = []
    for place, text in enumerate(texts):
        indices, weights = buckets(text, size)
        rows += [place] * len(indices)
        columns += indices
        values += weights
    return torch.sparse_coo_tensor(
        torch.tensor([rows, columns]), torch.tensor(values), (len(texts), size), check_invariants=False
    ).coalesce()


def fit_letters(features: Tensor, target: Tensor, *, strength: float = 4.0, steps: int = 60) -> Tensor:
    """Return the table (buckets, outputs) of a logistic regression; its bias is left to the join.

    It minimises ||table||^2 / (2 strength) + the sum of the cross entropies, by L-BFGS.
    """
    table = torch.zeros(features.shape[1], len(OUTPUTS), requires_grad=True)
    bias = torch.zeros(len(OUTPUTS), requires_grad=True)
    known = (target != UNKNOWN).float()
    optimiser = torch.optim.LBFGS([table, bias], max_iter=steps, history_size=8, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        logits = torch.sparse.mm(features, table) + bias
        losses = binary_cross_entropy_with_logits(logits, target.clamp_min(0), reduction="none") * known
        loss: Tensor = (losses.sum() + table.square().sum() / (2 * strength)) / len(target)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    return table.detach()


# --- the meaning -----------------------------------------------------------------------------------------------------


class LowRank(nn.Module):
    """A frozen linear map and a trained change of low rank: x -> W x + b + B A x; no change at first."""

    def __init__(self, linear: nn.Linear, rank: int) -> None:
        super().__init__()
        self.linear = linear
        self.down = nn.Linear(linear.in_features, rank, bias=False)
        self.up = nn.Linear(rank, linear.out_features, bias=False)
        nn.init.normal_(self.down.weight, std=1 / math.sqrt(linear.in_features))
        nn.init.zeros_(self.up.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Apply both."""
        result: Tensor = self.linear(x) + self.up(self.down(x))
        return result


@dataclass(frozen=True)
class States:
    """What the frozen layers give for each prompt, (L, D) in half precision, prompts of all lengths."""

    rows: list[Tensor]

    @classmethod
    @torch.no_grad()
    def of(cls, texts: Sequence[str], tokenizer: Any, encoder: Any, first: int) -> States:
        """Run the texts through the embedding and the layers before `first`."""
        ids = tokenizer(list(texts), truncation=True, max_length=MOST_TOKENS)["input_ids"]
        order = sorted(range(len(ids)), key=lambda place: len(ids[place]))
        rows: list[Tensor] = [torch.empty(0)] * len(ids)
        console = Console(stderr=True)
        for start in track(range(0, len(ids), BATCH_SIZE), "Reading", console=console):
            batch = order[start : start + BATCH_SIZE]
            longest = len(ids[batch[-1]])
            tokens = torch.tensor([ids[i] + [0] * (longest - len(ids[i])) for i in batch])
            mask = torch.tensor([[1] * len(ids[i]) + [0] * (longest - len(ids[i])) for i in batch])
            output = encoder(input_ids=tokens, attention_mask=mask, output_hidden_states=True)
            for place, states in zip(batch, output.hidden_states[first], strict=True):
                rows[place] = states[: len(ids[place])].half().clone()
        return cls(rows)

    def batch(self, places: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Return (B, L, D) and the mask (B, L), padded to the longest."""
        chosen = [self.rows[place].float() for place in places]
        mask = torch.nn.utils.rnn.pad_sequence([torch.ones(len(row), dtype=torch.bool) for row in chosen], True)
        return torch.nn.utils.rnn.pad_sequence(chosen, True), mask


class UpperPart(nn.Module):
    """The changed layers of the encoder, and the head."""

    def __init__(self, encoder: Any, first: int, rank: int) -> None:
        super().__init__()
        self.changes = nn.ModuleDict()
        for name, linear in changed_layers(encoder, first).items():
            change = LowRank(linear, rank)
            parent, _, own = name.partition(".")[2].rpartition(".")
            setattr(encoder.encoder.layer[int(name.partition(".")[0])].get_submodule(parent), own, change)
            self.changes[name.replace(".", "/")] = change
        self.layers = encoder.encoder.layer[first:]
        self.head = Head(encoder.config.hidden_size)

    def forward(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """Return the logits (B, outputs) of states (B, L, D)."""
        bias = torch.zeros(mask.shape)[:, None, None].masked_fill(~mask[:, None, None], torch.finfo(torch.float32).min)
        for layer in self.layers:
            hidden = layer(hidden, bias)
        logits: Tensor = self.head(hidden, mask)
        return logits

    def weights(self) -> dict[str, Tensor]:
        """Return what is stored, in half precision."""
        changes = {name.replace("/", "."): change for name, change in self.changes.items()}
        state = {
            f"{name}.{side}": getattr(change, side).weight
            for name, change in changes.items()
            for side in ("up", "down")
        }
        state |= {f"head.{name}": parameter for name, parameter in self.head.named_parameters()}
        return {name: parameter.detach().half().contiguous() for name, parameter in state.items()}


def mixed_batches(lengths: Sequence[int], rng: random.Random) -> list[list[int]]:
    """Return batches of prompts of like length, so that little is padded, in random order."""
    order = sorted(range(len(lengths)), key=lambda place: lengths[place] + rng.random() * 4)
    batches = [order[i : i + BATCH_SIZE] for i in range(0, len(order), BATCH_SIZE)]
    rng.shuffle(batches)
    return batches


def train_upper(part: UpperPart, states: States, target: Tensor, *, epochs: float, seed: int) -> None:
    """Train the changes and the head; the learning rate falls to 0 as a half cosine."""
    rng = random.Random(seed)
    steps = round(epochs * len(states.rows) / BATCH_SIZE)
    batches: list[list[int]] = []
    trained = [parameter for parameter in part.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=1e-3, weight_decay=0.01, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min(1.0, step / 30) * (0.5 + 0.5 * math.cos(math.pi * min(1.0, step / steps)))
    )
    part.train()
    console = Console(stderr=True)
    for _ in track(range(steps), "Training", console=console):
        batches = batches or mixed_batches([len(row) for row in states.rows], rng)
        places = batches.pop()
        hidden, mask = states.batch(places)
        loss = loss_of(part(hidden, mask), target[places])
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(trained, 1.0)
        optimiser.step()
        schedule.step()
    part.eval()


@torch.no_grad()
def upper_logits(part: UpperPart, states: States, places: Sequence[int]) -> Tensor:
    """Return the logits (places, outputs)."""
    order = sorted(range(len(places)), key=lambda i: len(states.rows[places[i]]))
    logits = torch.empty(len(places), len(OUTPUTS))
    for start in range(0, len(order), BATCH_SIZE):
        chosen = order[start : start + BATCH_SIZE]
        logits[chosen] = part(*states.batch([places[i] for i in chosen]))
    return logits


# --- the join --------------------------------------------------------------------------------------------------------


def fit_join(meaning: Tensor, letters: Tensor, target: Tensor) -> dict[str, Tensor]:
    """Return a, b >= 0 and c of each output that minimise the cross entropy: Platt scaling of two views."""
    raw = torch.zeros(2, meaning.shape[1], requires_grad=True)  # softplus(0) = 0.69
    bias = torch.zeros(meaning.shape[1], requires_grad=True)
    optimiser = torch.optim.LBFGS([raw, bias], max_iter=200, line_search_fn="strong_wolfe")
    known = (target != UNKNOWN).float()

    def closure() -> Tensor:
        optimiser.zero_grad()
        a, b = nn.functional.softplus(raw)
        logits = a * meaning + b * letters + bias
        losses = binary_cross_entropy_with_logits(logits, target.clamp_min(0), reduction="none") * known
        loss: Tensor = losses.sum(1).mean()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    a, b = nn.functional.softplus(raw.detach())
    return {"meaning": a, "letters": b, "bias": bias.detach()}


def joined(join: dict[str, Tensor], meaning: Tensor, letters: Tensor) -> Tensor:
    """Return a meaning + b letters + c."""
    return join["meaning"] * meaning + join["letters"] * letters + join["bias"]


def lowest_thresholds(scores: Tensor, rows: Sequence[Example], most: dict[str, float]) -> dict[str, float]:
    """Return, by source, the lowest threshold with no more alarms than allowed on its harmless prompts.

    Args:
        scores: Overall probabilities, (B,).
        rows: The validation prompts.
        most: Alarms allowed, 0..1, by source.
    """
    thresholds: dict[str, float] = {}
    for source, share in most.items():
        benign = sorted(
            (float(s) for s, row in zip(scores, rows, strict=True) if row.source == source and not row.is_unsafe),
            reverse=True,
        )
        if benign:
            thresholds[source] = benign[min(int(share * len(benign)), len(benign) - 1)] + 1e-6
    return thresholds


def auc(unsafe: Tensor, safe: Tensor) -> float:
    """Return the chance that an unsafe prompt scores above a safe one; equal scores count half (Mann, Whitney 1947)."""
    ranked, unsafe = safe.sort().values, unsafe.contiguous()
    below = torch.searchsorted(ranked, unsafe)
    up_to = torch.searchsorted(ranked, unsafe, right=True)
    return float((below + up_to).double().mean() / (2 * len(safe)))


def validation_report(scores: Tensor, rows: Sequence[Example]) -> dict[str, float]:
    """Return figures of the validation prompts, by which versions are compared."""

    def of(is_unsafe: bool, *sources: str) -> Tensor:
        return torch.tensor(
            [float(s) for s, r in zip(scores, rows, strict=True) if r.is_unsafe == is_unsafe and r.source in sources]
        )

    unsafe = ("copro", "copro, dressed", "situations")
    pairs = {
        "copro twins": (of(True, "copro"), of(False, "copro")),
        "copro twins, dressed": (of(True, "copro, dressed"), of(False, "copro, dressed")),
        "situations": (of(True, "situations"), of(False, "situations")),
        "unsafe / coco": (of(True, *unsafe), of(False, "coco")),
        "unsafe / coco, dressed": (of(True, *unsafe), of(False, "coco, dressed")),
        "unsafe / look-alikes": (of(True, *unsafe), of(False, "look-alikes")),
        "nibbler / coco": (of(True, "nibbler"), of(False, "coco")),
    }
    return {name: round(auc(*both), 4) for name, both in pairs.items() if len(both[0]) and len(both[1])}


# --- the command -----------------------------------------------------------------------------------------------------


def train(
    rows: Sequence[Example], states: States, encoder: Any, *, first: int, rank: int, epochs: float, seed: int
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the weights and the configuration."""
    torch.manual_seed(seed)
    places = [i for i, row in enumerate(rows) if row.part == "train"]
    target = targets([rows[i] for i in places])
    table = fit_letters(letters_matrix([rows[i].text for i in places]), target).half()
    encoder.requires_grad_(False)
    part = UpperPart(encoder, first, rank)
    train_upper(part, States([states.rows[i] for i in places]), target, epochs=epochs, seed=seed)
    state, config = join_views(part, table, rows, states)
    made = {"first_changed_layer": first, "rank": rank, "epochs": epochs, "seed": seed, "train_rows": len(places)}
    return state, {**made, **config}


def join_views(
    part: UpperPart, table: Tensor, rows: Sequence[Example], states: States
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Fit the join and the points on the validation prompts; return all weights and what they did there."""
    places = [i for i, row in enumerate(rows) if row.part == "validation"]
    held_out = [rows[i] for i in places]
    letters = letters_logits([row.text for row in held_out], table)
    meaning = upper_logits(part, states, places)
    fitted = torch.tensor([i % 4 < 2 for i in range(len(places))])
    join = fit_join(meaning[fitted], letters[fitted], targets(held_out)[fitted])
    scores = joined(join, meaning, letters)[:, 0].sigmoid()
    other = [i for i in range(len(places)) if not fitted[i]]
    points: dict[Point, dict[str, Any]] = {}
    for name, most in MOST_ALARMS.items():
        lowest = lowest_thresholds(scores[other], [held_out[i] for i in other], most)
        points[name] = {"threshold": max(lowest.values()), "most_alarms": most, "lowest_thresholds": lowest}
    report = {
        "both": validation_report(scores, held_out),
        "meaning": validation_report(meaning[:, 0], held_out),
        "letters": validation_report(letters[:, 0], held_out),
    }
    state = {**part.weights(), "letters": table, **{f"join.{name}": value for name, value in join.items()}}
    return state, {
        "outputs": list(OUTPUTS),
        "points": points,
        "validation_rows": len(held_out),
        "validation_auc": report,
    }


def save(folder: Path, state: dict[str, Tensor], config: dict[str, Any]) -> None:
    """Write `model.safetensors` and `config.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file(state, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")


def main(argv: list[str] | None = None) -> int:
    """Train and write the weights."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with copro, coco and nibbler")
    parser.add_argument("--styles", type=Path, help="folder with artists.txt, mediums.txt and movements.txt")
    parser.add_argument("--out", type=Path, required=True, help="folder to write the weights to")
    parser.add_argument("--first-changed-layer", type=int, default=4, help="0..6; 6 changes none (default 4)")
    parser.add_argument("--rank", type=int, default=16, help="rank of the changes (default 16)")
    parser.add_argument("--epochs", type=float, default=2.0, help="passes over the prompts (default 2)")
    parser.add_argument("--seed", type=int, default=0, help="decides the texts and their order (default 0)")
    parser.add_argument("--threads", type=int, default=1, help="processor threads (default 1)")
    arguments = parser.parse_args(argv)
    from transformers import AutoTokenizer, BertModel

    torch.set_num_threads(arguments.threads)
    root = Path(embedded_model_path())
    tokenizer = AutoTokenizer.from_pretrained(root / "tokenizer")
    encoder = BertModel.from_pretrained(root / "text_encoder", dtype=torch.float32, add_pooling_layer=False).eval()
    rows = examples(arguments.data, Styles.read(arguments.styles), Amounts(), seed=arguments.seed)
    first = arguments.first_changed_layer
    states = States.of([row.text for row in rows], tokenizer, encoder, first)
    state, config = train(
        rows, states, encoder, first=first, rank=arguments.rank, epochs=arguments.epochs, seed=arguments.seed
    )
    save(arguments.out, state, config)
    sys.stdout.write(json.dumps(config, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
