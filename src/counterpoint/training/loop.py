"""The loop that every part shares: cosine schedule by step, EMA, checkpoints, log, sample sheets.

All randomness of step k is drawn from (seed, k), never from a running generator. So a checkpoint
needs no generator state, and a resumed run ends at the same weights as an uninterrupted one.
"""

import argparse
import copy
import dataclasses
import json
import math
import os
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Literal, Protocol

import torch
from PIL import Image
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

Batch = dict[str, Tensor]
Number = int | float | str
Precision = Literal["auto", "bf16", "fp32"]

WEIGHTS = "weights"
"""Folder under `--out` that holds the newest exported EMA weights."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class LoopConfig:
    """What one run does. Fields of `TRAJECTORY` must not change when a run is resumed."""

    out: Path
    """Folder of checkpoints, log, samples and exported weights."""
    steps: int
    """Total number of steps, > 0; the schedule is stretched over it."""
    batch_size: int
    """Examples in one step, > 0."""
    learning_rate: float
    """Peak learning rate, > 0."""
    seed: int = 0
    """Seeds the initial weights and, with the step's number, each step's randomness."""
    warmup_steps: int = 100
    """Steps of linear warm-up, >= 0."""
    final_fraction: float = 0.02
    """Learning rate at the last step as a fraction of the peak, in [0, 1]."""
    weight_decay: float = 0.0
    """AdamW's decoupled decay, >= 0."""
    ema_decay: float = 0.999
    """Upper limit of the EMA's decay, in [0, 1); early steps use (1 + k) / (10 + k)."""
    checkpoint_every: int = 200
    """Steps between checkpoints, > 0."""
    sample_every: int = 500
    """Steps between sample sheets (and exports of the EMA), > 0."""
    log_every: int = 20
    """Steps averaged in one line of the log, > 0."""
    workers: int = 1
    """Background processes that make batches, >= 0; the order of batches does not depend on it."""
    device: str = "auto"
    """`cpu`, `cuda`, or `auto`: a GPU if there is one."""
    precision: Precision = "auto"
    """`fp32`, `bf16` (autocast), or `auto`: bf16 where the device computes it natively."""
    stop_after: int | None = None
    """Leave, as if interrupted, after this step; None runs to the end."""


TRAJECTORY = (
    "steps",
    "batch_size",
    "learning_rate",
    "seed",
    "warmup_steps",
    "final_fraction",
    "weight_decay",
    "ema_decay",
)


class Recipe(Protocol):
    """One part's model, data and loss, as the loop needs them."""

    model: nn.Module
    """The network in training; the loop moves it to the device."""
    batches: Dataset[Batch]
    """Item k is the batch of step k, on the CPU; may be read in another process."""

    def loss(self, batch: Batch, generator: torch.Generator) -> Mapping[str, Tensor]:
        """Scalars of one batch; `loss` is minimised, the others are logged."""
        ...

    def sheet(self, averaged: nn.Module) -> Image.Image | None:
        """Picture that shows what the averaged network can do now, or None."""
        ...

    def export(self, averaged: nn.Module, folder: Path) -> None:
        """Write the averaged network into `folder`, ready for use."""
        ...

    def describe(self) -> dict[str, Any]:
        """JSON-able settings of the part; they must be equal when a run is resumed."""
        ...


def step_seed(seed: int, step: int) -> int:
    """Seed of one step's randomness; distinct for all steps below a million."""
    return seed * 1_000_003 + step


def learning_rate_at(step: int, config: LoopConfig) -> float:
    """Learning rate of step k (from 0): linear warm-up, then half a cosine down to the floor."""
    warmup = min(1.0, (step + 1) / max(1, config.warmup_steps))
    cosine = 0.5 * (1 + math.cos(math.pi * step / config.steps))
    floor = config.final_fraction
    return config.learning_rate * warmup * (cosine * (1 - floor) + floor)


@torch.no_grad()
def update_average(averaged: nn.Module, model: nn.Module, step: int, decay: float) -> None:
    """Move the averaged weights towards the model's: a <- d a + (1 - d) m."""
    d = min(decay, (1 + step) / (10 + step))
    for a, m in zip(averaged.parameters(), model.parameters(), strict=True):
        a.lerp_(m, 1 - d)
    for kept, new in zip(averaged.buffers(), model.buffers(), strict=True):
        kept.copy_(new)


def resolve_device(name: str) -> torch.device:
    """Device of a name; `auto` is a GPU if there is one."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def resolve_precision(precision: Precision, device: torch.device) -> torch.dtype:
    """Type for autocast; `auto` avoids bf16 on a CPU that only emulates it (7x slower)."""
    if precision == "auto":
        # oneDNN also accepts bf16 on AVX2 and AVX-512 without the instructions: ask for those.
        native = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
        precision = "bf16" if device.type == "cuda" or native else "fp32"
    return torch.bfloat16 if precision == "bf16" else torch.float32


def write_atomically(path: Path, state: object) -> None:
    """Save with torch so that `path` is either the old file or the whole new one."""
    temporary = path.with_suffix(".tmp")
    torch.save(state, temporary)
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    temporary.replace(path)


def newest_checkpoint(out: Path) -> Path | None:
    """Checkpoint with the highest step in a run's folder, or None."""
    return max(out.glob("checkpoint-*.pt"), default=None)


def read_average(out: Path, model: nn.Module) -> int:
    """Load the newest checkpoint's averaged weights into `model`; return its step.

    Raises:
        FileNotFoundError: The folder holds no checkpoint.
    """
    path = newest_checkpoint(out)
    if path is None:
        raise FileNotFoundError(f"no checkpoint-*.pt in {out}; train the part first")
    state = torch.load(path, map_location="cpu", weights_only=True)
    model.load_state_dict(state["average"])
    return int(state["step"])


@contextmanager
def stop_requests() -> Iterator[list[int]]:
    """List that receives SIGINT and SIGTERM while the body runs; the old handlers come back."""
    received: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        received.append(number)

    previous = {s: signal.signal(s, note) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _ignore_signals(worker: int) -> None:
    # A stop signal often reaches the whole process group; only the parent may act on it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    torch.set_num_threads(1)


class Training:
    """One run of a recipe: `run` trains from the newest checkpoint to the last step."""

    def __init__(self, recipe: Recipe, config: LoopConfig) -> None:
        """Put the model on its device and take up the newest checkpoint, if any.

        Args:
            recipe: Part to train.
            config: How long, how fast, where to.

        Raises:
            ValueError: The checkpoint was made with another schedule or other settings.
        """
        self.recipe = recipe
        self.config = config
        self.device = resolve_device(config.device)
        self.dtype = resolve_precision(config.precision, self.device)
        self.console = Console(stderr=True)
        recipe.model.to(self.device)
        self.average = copy.deepcopy(recipe.model).requires_grad_(False).eval()
        self.optimizer = torch.optim.AdamW(
            recipe.model.parameters(),
            lr=config.learning_rate,
            betas=(0.9, 0.99),
            weight_decay=config.weight_decay,
        )
        self.step = 0
        config.out.mkdir(parents=True, exist_ok=True)
        self._resume()
        self._write_settings(config.out / "training.json")

    def settings(self) -> dict[str, Any]:
        """What fixes the weights of the run: schedule and the part's own settings."""
        schedule = {name: getattr(self.config, name) for name in TRAJECTORY}
        return {"loop": schedule, "part": self.recipe.describe()}

    def _write_settings(self, path: Path) -> None:
        ran_on = {"device": self.device.type, "precision": str(self.dtype).removeprefix("torch.")}
        record = {**self.settings(), "step": self.step, "torch": torch.__version__, **ran_on}
        path.write_text(json.dumps(record, indent=2) + "\n")

    def _resume(self) -> None:
        path = newest_checkpoint(self.config.out)
        if path is None:
            return
        state = torch.load(path, map_location=self.device, weights_only=True)
        if json.loads(state["settings"]) != json.loads(json.dumps(self.settings())):
            raise ValueError(
                f"{path} was made with {state['settings']}, this run asks for "
                f"{json.dumps(self.settings())}; use the same options or another --out"
            )
        self.recipe.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step = int(state["step"])
        log = self.config.out / "log.jsonl"
        if log.exists():
            lines = log.read_text().splitlines()
            kept = [line for line in lines if json.loads(line)["step"] <= self.step]
            log.write_text("".join(f"{line}\n" for line in kept))
        self.console.print(f"resumed at step {self.step} from {path.name}")

    def checkpoint(self) -> Path:
        """Write everything that the rest of the run depends on; keep the last two files."""
        path = self.config.out / f"checkpoint-{self.step:07d}.pt"
        state = {
            "step": self.step,
            "settings": json.dumps(self.settings()),
            "model": self.recipe.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }
        write_atomically(path, state)
        for old in sorted(self.config.out.glob("checkpoint-*.pt"))[:-2]:
            old.unlink()
        return path

    def show(self) -> None:
        """Write the sample sheet and export the averaged weights."""
        with torch.no_grad():
            sheet = self.recipe.sheet(self.average)
            if sheet is not None:
                folder = self.config.out / "samples"
                folder.mkdir(exist_ok=True)
                sheet.save(folder / f"{self.step:07d}.png")
            weights = self.config.out / WEIGHTS
            weights.mkdir(exist_ok=True)
            self.recipe.export(self.average, weights)
        self._write_settings(weights / "training.json")

    def train_step(self, batch: Batch) -> dict[str, float]:
        """Take one optimizer step and return its scalars."""
        config = self.config
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate_at(self.step, config)
        generator = torch.Generator().manual_seed(step_seed(config.seed, self.step))
        self.recipe.model.train()
        on_device = {name: value.to(self.device) for name, value in batch.items()}
        mixed = self.dtype == torch.bfloat16
        with torch.autocast(self.device.type, torch.bfloat16, enabled=mixed):
            scalars = self.recipe.loss(on_device, generator)
        if not torch.isfinite(scalars["loss"]):
            raise FloatingPointError(f"loss is {scalars['loss'].item()} at step {self.step}")
        self.optimizer.zero_grad(set_to_none=True)
        scalars["loss"].backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.recipe.model.parameters(), 1.0)
        self.optimizer.step()
        self.step += 1
        update_average(self.average, self.recipe.model, self.step, config.ema_decay)
        return {name: float(value.detach()) for name, value in scalars.items()}

    def _loader(self) -> DataLoader[Batch]:
        config = self.config
        return DataLoader(
            self.recipe.batches,
            batch_size=None,
            sampler=range(self.step, config.steps),
            num_workers=config.workers,
            prefetch_factor=4 if config.workers else None,
            worker_init_fn=_ignore_signals,
        )

    def run(self) -> bool:
        """Train to the last step, or until a stop signal.

        Returns:
            True when the last step is done, False when stopped before it.
        """
        config = self.config
        log = Log(config.out / "log.jsonl", self.console, config)
        saved = self.step
        with stop_requests() as stops, log:
            for batch in self._loader() if self.step < config.steps else ():
                log.add(self.step + 1, self.train_step(batch))
                if self.step % config.checkpoint_every == 0:
                    self.checkpoint()
                    saved = self.step
                if self.step % config.sample_every == 0 and self.step < config.steps:
                    self.show()
                if stops or self.step == config.stop_after:
                    break
        if self.step != saved:
            self.checkpoint()
        if self.step < config.steps:
            self.console.print(f"stopped at step {self.step}; the same command resumes")
            return False
        self.show()
        return True


class Log:
    """Averages scalars over `log_every` steps into a JSONL file and a progress bar on stderr."""

    def __init__(self, path: Path, console: Console, config: LoopConfig) -> None:
        """Open nothing yet; `with` does.

        Args:
            path: JSONL file that lines are added to.
            console: Where the bar is drawn; a plain line is printed if it is no terminal.
            config: Gives the number of steps and `log_every`.
        """
        self.path = path
        self.console = console
        self.config = config
        self.sums: dict[str, float] = {}
        self.count = 0
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        self.progress = Progress(*columns, console=console, disable=not console.is_terminal)
        self.bar = self.progress.add_task("", total=config.steps)
        self.since = time.monotonic()

    def __enter__(self) -> "Log":
        """Start the bar and the clock."""
        self.progress.start()
        self.since = time.monotonic()
        return self

    def __exit__(self, *error: object) -> None:
        """Stop the bar."""
        self.progress.stop()

    def add(self, step: int, scalars: Mapping[str, float]) -> None:
        """Take in one step; write a line when the step's number is a multiple of `log_every`."""
        for name, value in scalars.items():
            self.sums[name] = self.sums.get(name, 0.0) + value
        self.count += 1
        self.progress.update(self.bar, completed=step)
        if step % self.config.log_every and step != self.config.steps:
            return
        now = time.monotonic()
        line: dict[str, Number] = {"step": step}
        line |= {name: round(value / self.count, 6) for name, value in self.sums.items()}
        line["learning_rate"] = learning_rate_at(step - 1, self.config)
        line["seconds_per_step"] = round((now - self.since) / self.count, 4)
        with self.path.open("a") as file:
            file.write(json.dumps(line) + "\n")
        self.progress.update(self.bar, description=f"loss {line['loss']}")
        if not self.console.is_terminal:
            self.console.print(json.dumps(line), soft_wrap=True, highlight=False)
        self.sums, self.count, self.since = {}, 0, now


def add_arguments(parser: argparse.ArgumentParser, defaults: LoopConfig) -> None:
    """Add the options that every trained part takes, with the part's own defaults."""
    whole, real = int, float
    add = parser.add_argument
    add("--out", type=Path, default=defaults.out, help="folder of the run (default: %(default)s)")
    add("--steps", type=whole, default=defaults.steps, help="total steps (default: %(default)s)")
    add("--batch-size", type=whole, default=defaults.batch_size, help="default: %(default)s")
    add("--learning-rate", type=real, default=defaults.learning_rate, help="default: %(default)s")
    add("--seed", type=whole, default=defaults.seed, help="default: %(default)s")
    add("--device", choices=("auto", "cpu", "cuda"), default="auto", help="default: %(default)s")
    add("--precision", choices=("auto", "bf16", "fp32"), default="auto", help="default: auto")
    add("--threads", type=whole, default=2, help="CPU threads of torch (default: %(default)s)")
    add("--workers", type=whole, default=defaults.workers, help="processes that make batches")
    every = "steps between two (default: %(default)s)"
    add("--checkpoint-every", type=whole, default=defaults.checkpoint_every, help=every)
    add("--sample-every", type=whole, default=defaults.sample_every, help=every)
    add("--stop-after", type=whole, default=None, help="leave after this step, as if interrupted")


def config_from(arguments: argparse.Namespace, defaults: LoopConfig) -> LoopConfig:
    """Loop's configuration: the part's defaults overlaid with the command line's values."""
    torch.set_num_threads(arguments.threads)
    names = {field.name for field in dataclasses.fields(LoopConfig)}
    given = {name: value for name, value in vars(arguments).items() if name in names}
    return dataclasses.replace(defaults, **given)
