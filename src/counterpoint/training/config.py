"""How long, how fast and where a part is trained: the options that all parts share."""

import argparse
import dataclasses
import math
from pathlib import Path
from typing import Literal

import torch

Precision = Literal["auto", "bf16", "fp32"]


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


def step_seed(seed: int, step: int) -> int:
    """Seed of one step's randomness; distinct for all steps below a million."""
    return seed * 1_000_003 + step


def learning_rate_at(step: int, config: LoopConfig) -> float:
    """Learning rate of step k (from 0): linear warm-up, then half a cosine down to the floor."""
    warmup = min(1.0, (step + 1) / max(1, config.warmup_steps))
    cosine = 0.5 * (1 + math.cos(math.pi * step / config.steps))
    floor = config.final_fraction
    return config.learning_rate * warmup * (cosine * (1 - floor) + floor)


def resolve_device(name: str) -> torch.device:
    """Device of a name; `auto` is a GPU if there is one."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def resolve_precision(precision: Precision, device: torch.device) -> torch.dtype:
    """Type for autocast; `auto` avoids bf16 on a CPU that only emulates it (over ten times slower)."""
    if precision == "auto":
        # oneDNN also accepts bf16 on AVX2 and AVX-512 without the instructions: ask for those.
        native = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
        precision = "bf16" if device.type == "cuda" or native else "fp32"
    return torch.bfloat16 if precision == "bf16" else torch.float32


def sprites_folder(text: str) -> Path:
    """Folder of the flat SVG files, as a type of argparse.

    Raises:
        argparse.ArgumentTypeError: It is no folder, or holds none.
    """
    if not any(Path(text).glob("*.svg")):
        raise argparse.ArgumentTypeError(f"got {text}; allowed: the folder that scripts/get_sprites.py prints")
    return Path(text)


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
