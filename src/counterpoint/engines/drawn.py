"""What an engine hands back, and how the denoiser's rows are counted: the cost of a picture."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from counterpoint.engines.denoiser import arguments_of, denoisers, num_rows


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """One pipeline call, drawn."""

    output: Any
    """The pipeline's own output object, one entry a picture."""
    weights: list[float]
    """Weight w applied at each step, 0 where a step was not mixed; empty where no stream was added."""
    rows: list[int]
    """Rows (one latent of one stream at one step) that the denoiser ran for each picture, M numbers."""
    plain_rows: int
    """Rows that the plain pipeline runs for one of these pictures."""
    reuse: int = 1
    """At every how many mixed steps the safe stream ran."""


@contextmanager
def counting_rows(pipe: Any) -> Iterator[list[int]]:
    """Yield a list that takes the number of rows of each denoiser call in the block; undone afterwards."""
    rows: list[int] = []

    def count(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        rows.append(num_rows(arguments_of(module, args, kwargs)))

    handles = [module.register_forward_pre_hook(count, with_kwargs=True) for module in denoisers(pipe)]
    try:
        yield rows
    finally:
        for handle in handles:
            handle.remove()


def fresh(call: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments with lists of their own: some pipelines (Z-Image) write into those they are given."""
    return {name: list(value) if isinstance(value, list) else value for name, value in call.items()}


def draw_plain(pipe: Any, call: dict[str, Any], num_images: int) -> Drawn:
    """Run the pipeline's own call, nothing added; M = `num_images`."""
    with counting_rows(pipe) as rows:
        output = pipe(**fresh(call))
    each = sum(rows) // num_images
    return Drawn(output=output, weights=[], rows=[each] * num_images, plain_rows=each)
