"""The loop that every part shares: cosine schedule by step, EMA, checkpoints, log, sample sheets.

All randomness of step k is drawn from (seed, k), never from a running generator. So a checkpoint
needs no generator state, and a resumed run ends at the same weights as an uninterrupted one.
"""

import copy
import json
import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

import torch
from PIL import Image
from rich.console import Console
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from counterpoint.training.config import (
    TRAJECTORY,
    LoopConfig,
    learning_rate_at,
    resolve_device,
    resolve_precision,
    step_seed,
)
from counterpoint.training.log import Log

Batch = dict[str, Tensor]

WEIGHTS = "weights"
"""Folder under `--out` that holds the newest exported EMA weights."""


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


@torch.no_grad()
def update_average(averaged: nn.Module, model: nn.Module, step: int, decay: float) -> None:
    """Move the averaged weights towards the model's: a <- d a + (1 - d) m."""
    d = min(decay, (1 + step) / (10 + step))
    for a, m in zip(averaged.parameters(), model.parameters(), strict=True):
        a.lerp_(m, 1 - d)
    for kept, new in zip(averaged.buffers(), model.buffers(), strict=True):
        kept.copy_(new)


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


def _leave_group(worker: int) -> None:
    # A stop signal often reaches the whole process group; only the parent may act on it, and end its workers.
    os.setpgid(0, 0)
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
            worker_init_fn=_leave_group,
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
