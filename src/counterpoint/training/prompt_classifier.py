"""Train the prompt classifier that ships with the package: one command over a local folder of prompts.

Each prompt runs once through the frozen lower layers of the text encoder; what they give is kept, so that
the low-rank changes of its last layers and the head are trained cheaply. The letters' view is a logistic
regression. Both are joined, and calibrated, on one half of the validation prompts; the other half fixes
the working points. See docs/classifier.md.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import track
from safetensors.torch import save_file
from torch import Tensor, nn

from counterpoint.detectors.letters import letters_logits
from counterpoint.detectors.prompt_classifier import OUTPUTS, Head, changed_layers
from counterpoint.embedded import embedded_model_path
from counterpoint.interfaces import InvalidInput
from counterpoint.training.prompt_classifier_choice import fit_join, joined, points_of, validation_report
from counterpoint.training.prompt_classifier_letters import fit_letters, letters_matrix
from counterpoint.training.prompt_classifier_sets import Amounts, Example, examples
from counterpoint.training.prompt_classifier_styles import Styles
from counterpoint.training.prompt_classifier_targets import loss_of, targets

EXAMPLE = """examples:
  python -m counterpoint.training.prompt_classifier --data prompts --out training/classifier
  python -m counterpoint.training.prompt_classifier --data prompts --styles styles --written data/written.jsonl.xz \
      --bfloat16 --out training/classifier
"""
BATCH_SIZE = 64
CHECKPOINT_EVERY = 50
"""Steps after which a run can be taken up again."""
MOST_TOKENS = 64
"""Of a training prompt; what is longer is cut off there."""


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


def through(layers: Iterable[nn.Module], hidden: Tensor, mask: Tensor) -> Tensor:
    """Return (B, L, D) behind some layers of a BERT; `mask` (B, L) is True where a token is read."""
    unread = torch.zeros(mask.shape)[:, None, None].masked_fill(~mask[:, None, None], torch.finfo(torch.float32).min)
    for layer in layers:
        hidden = layer(hidden, unread)
    return hidden


@dataclass(frozen=True)
class States:
    """What the frozen layers give for each prompt, (L, D) in half precision, prompts of all lengths."""

    rows: list[Tensor]

    @classmethod
    @torch.no_grad()
    def of(cls, texts: Sequence[str], tokenizer: Any, encoder: Any, first: int, *, short: bool = False) -> States:
        """Run the texts through the embedding and the layers before `first`; `short` numbers are bfloat16."""
        ids = tokenizer(list(texts), truncation=True, max_length=MOST_TOKENS)["input_ids"]
        order = sorted(range(len(ids)), key=lambda place: len(ids[place]))
        rows: list[Tensor] = [torch.empty(0)] * len(ids)
        console = Console(stderr=True)
        for start in track(range(0, len(ids), BATCH_SIZE), "Reading", console=console):
            batch = order[start : start + BATCH_SIZE]
            longest = len(ids[batch[-1]])
            tokens = torch.tensor([ids[i] + [0] * (longest - len(ids[i])) for i in batch])
            mask = torch.tensor([[True] * len(ids[i]) + [False] * (longest - len(ids[i])) for i in batch])
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=short):
                hidden = through(encoder.encoder.layer[:first], encoder.embeddings(input_ids=tokens), mask)
            for place, states in zip(batch, hidden, strict=True):
                rows[place] = states[: len(ids[place])].half().clone()
        return cls(rows)

    def batch(self, places: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Return (B, L, D) and the mask (B, L), padded to the longest."""
        chosen = [self.rows[place].float() for place in places]
        mask = torch.nn.utils.rnn.pad_sequence([torch.ones(len(row), dtype=torch.bool) for row in chosen], True)
        return torch.nn.utils.rnn.pad_sequence(chosen, True), mask


class UpperPart(nn.Module):
    """The changed layers of the encoder, and the head; `short` layers compute in bfloat16, the head never does."""

    def __init__(self, encoder: Any, first: int, rank: int, *, short: bool = False) -> None:
        super().__init__()
        self.short = short
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
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.short):
            hidden = through(self.layers, hidden, mask)
        logits: Tensor = self.head(hidden.float(), mask)
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


def train_upper(
    part: UpperPart, states: States, target: Tensor, *, epochs: float, seed: int, checkpoint: Path | None = None
) -> None:
    """Train the changes and the head; the learning rate falls to 0 as a half cosine.

    Args:
        part: What is trained, in place.
        states: Of the training prompts.
        target: (B, outputs), see `targets`.
        epochs: Passes over the prompts.
        seed: Decides the order, and what dropout drops.
        checkpoint: File that a run writes now and then, and takes up again where it is there.
    """
    steps = round(epochs * len(states.rows) / BATCH_SIZE)
    trained = [parameter for parameter in part.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=1e-3, weight_decay=0.01, betas=(0.9, 0.98))
    done = load_checkpoint(checkpoint, trained, optimiser, steps) if checkpoint and checkpoint.is_file() else 0
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min(1.0, (step + done) / 30) * (0.5 + 0.5 * math.cos(math.pi * (step + done) / steps))
    )
    lengths = [len(row) for row in states.rows]
    per_epoch = math.ceil(len(lengths) / BATCH_SIZE)
    batches: list[list[int]] = []
    part.train()
    for step in track(range(done, steps), "Training", console=Console(stderr=True)):
        if not batches or step % per_epoch == 0:
            batches = mixed_batches(lengths, random.Random(f"{seed}, {step // per_epoch}"))
        torch.manual_seed(seed * 1_000_003 + step)  # of dropout: a run that was taken up drops the same
        places = batches[step % per_epoch]
        loss = loss_of(part(*states.batch(places)), target[places])
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(trained, 1.0)
        optimiser.step()
        schedule.step()
        if checkpoint and (step + 1) % CHECKPOINT_EVERY == 0:
            save_checkpoint(checkpoint, trained, optimiser, step + 1, steps)
    part.eval()


def save_checkpoint(
    path: Path, trained: Sequence[nn.Parameter], optimiser: torch.optim.Optimizer, done: int, steps: int
) -> None:
    """Write what a run needs to be taken up; the file is whole or the one before."""
    half_written = path.with_suffix(".part")
    values = {"done": done, "steps": steps, "trained": list(trained), "optimiser": optimiser.state_dict()}
    torch.save(values, half_written)
    half_written.replace(path)


def load_checkpoint(path: Path, trained: Sequence[nn.Parameter], optimiser: torch.optim.Optimizer, steps: int) -> int:
    """Take a run up; return the number of steps that are done.

    Raises:
        InvalidInput: The file is of a run with other settings.
    """
    values = torch.load(path, weights_only=True)
    shapes = [value.shape for value in values["trained"]]
    if values["steps"] != steps or shapes != [parameter.shape for parameter in trained]:
        raise InvalidInput("out", str(path), "a checkpoint of a run with the same settings; delete it to start anew")
    with torch.no_grad():
        for parameter, value in zip(trained, values["trained"], strict=True):
            parameter.copy_(value)
    optimiser.load_state_dict(values["optimiser"])
    for group in optimiser.param_groups:
        group.pop("initial_lr", None)
        group["lr"] = 1e-3  # the schedule goes on from here
    return int(values["done"])


@torch.no_grad()
def upper_logits(part: UpperPart, states: States, places: Sequence[int]) -> Tensor:
    """Return the logits (places, outputs)."""
    order = sorted(range(len(places)), key=lambda i: len(states.rows[places[i]]))
    logits = torch.empty(len(places), len(OUTPUTS))
    for start in range(0, len(order), BATCH_SIZE):
        chosen = order[start : start + BATCH_SIZE]
        logits[chosen] = part(*states.batch([places[i] for i in chosen]))
    return logits


# --- the command -----------------------------------------------------------------------------------------------------


def train(
    rows: Sequence[Example],
    states: States,
    encoder: Any,
    *,
    first: int,
    rank: int,
    epochs: float,
    seed: int,
    short: bool = False,
    checkpoint: Path | None = None,
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the weights and the configuration; see `train_upper`."""
    torch.manual_seed(seed)
    places = [i for i, row in enumerate(rows) if row.part == "train"]
    target = targets([rows[i] for i in places])
    table = fit_letters(letters_matrix([rows[i].text for i in places]), target).half()
    encoder.requires_grad_(False)
    part = UpperPart(encoder, first, rank, short=short)
    train_upper(part, States([states.rows[i] for i in places]), target, epochs=epochs, seed=seed, checkpoint=checkpoint)
    part.short = False
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
    points = points_of(scores[other], [held_out[i] for i in other])
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
    parser.add_argument("--written", type=Path, help="file of pairs written one by one, data/written.jsonl.xz")
    parser.add_argument("--grades", type=Path, help="file of graded prompts of users, data/gallery.tsv.xz")
    parser.add_argument("--out", type=Path, required=True, help="folder to write the weights to")
    parser.add_argument("--first-changed-layer", type=int, default=2, help="0..6; 6 changes none (default 2)")
    parser.add_argument("--rank", type=int, default=16, help="rank of the changes (default 16)")
    parser.add_argument("--epochs", type=float, default=2.0, help="passes over the prompts (default 2)")
    parser.add_argument("--seed", type=int, default=0, help="decides the texts and their order (default 0)")
    parser.add_argument("--bfloat16", action="store_true", help="train in bfloat16: faster where the processor has it")
    parser.add_argument("--threads", type=int, default=1, help="processor threads (default 1)")
    arguments = parser.parse_args(argv)
    from transformers import AutoTokenizer, BertModel

    torch.set_num_threads(arguments.threads)
    root = Path(embedded_model_path())
    tokenizer = AutoTokenizer.from_pretrained(root / "tokenizer")
    encoder = BertModel.from_pretrained(root / "text_encoder", dtype=torch.float32, add_pooling_layer=False).eval()
    styles = Styles.read(arguments.styles)
    rows = examples(
        arguments.data, styles, Amounts(), seed=arguments.seed, pairs=arguments.written, grades=arguments.grades
    )
    first = arguments.first_changed_layer
    states = States.of([row.text for row in rows], tokenizer, encoder, first, short=arguments.bfloat16)
    arguments.out.mkdir(parents=True, exist_ok=True)
    checkpoint = arguments.out / "checkpoint.pt"
    state, config = train(
        rows, states, encoder, first=first, rank=arguments.rank, epochs=arguments.epochs, seed=arguments.seed,
        short=arguments.bfloat16, checkpoint=checkpoint,
    )  # fmt: skip
    save(arguments.out, state, config)
    checkpoint.unlink(missing_ok=True)
    sys.stdout.write(json.dumps(config, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
