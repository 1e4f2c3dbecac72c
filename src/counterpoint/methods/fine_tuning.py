"""The loop of the methods that train a copy: Adam, a progress bar, and a stop where the loss is not finite."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from rich.console import Console
from rich.progress import Progress
from torch import Tensor
from torch.nn import Parameter

from counterpoint.interfaces import SafetyFailure


def fine_tune(
    label: str, parameters: Sequence[Parameter], loss: Callable[[], Tensor], *, steps: int, learning_rate: float
) -> list[float]:
    """Train the parameters, in place.

    Args:
        label: What the progress bar says, on stderr.
        parameters: What to train.
        loss: Draws the next example, and returns its loss, a scalar.
        steps: Steps of Adam, one example each.
        learning_rate: Of Adam, constant.

    Returns:
        The loss of each step.

    Raises:
        SafetyFailure: A loss is NaN or infinite.
    """
    optimizer = torch.optim.Adam(parameters, lr=learning_rate)
    losses: list[float] = []
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar, torch.enable_grad():
        task = bar.add_task(label, total=steps)
        for step in range(steps):
            optimizer.zero_grad()
            value = loss()
            if not bool(torch.isfinite(value)):
                raise SafetyFailure(f"{label}: the loss is {value.item()} at step {step}; use a smaller learning_rate")
            value.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            losses.append(value.item())
            bar.advance(task)
    return losses
