"""The two streams of one picture share their noise: the first draw and every later one.

Were they drawn apart, a stochastic sampler's mixed noise would have the variance
(1 - w)^2 + w^2, one half at w = 0.5, and the picture would be blurred.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Generator, Tensor
from torch.overrides import TorchFunctionMode


def clone_generator(generator: Generator) -> Generator:
    """Return a new generator in the same state on the same device."""
    twin = Generator(device=generator.device)
    twin.set_state(generator.get_state())
    return twin


class SharedNoise(TorchFunctionMode):
    """Inside the `with` block, `torch.randn` and `torch.randn_like` of `len(rows)` rows draw each picture's noise once.

    Works for one generator and for the global one: as many numbers are drawn as the plain pipeline
    draws, so its noise is reproduced and the generator ends in the same state. For a list of
    generators give the safe rows a `clone_generator` instead. Per thread, and undone at the end.

    Args:
        rows: For each row of the joint batch, the index of the picture whose noise it takes.
        num_images: Pictures, M <= len(rows).
    """

    def __init__(self, rows: Sequence[int], num_images: int) -> None:
        super().__init__()
        self.rows, self.num_images = list(rows), num_images

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if func is torch.randn and args and isinstance(args[0], (tuple, list)):
            size = list(args[0])
            if size and size[0] == len(self.rows):
                noise: Tensor = func([self.num_images, *size[1:]], *args[1:], **kwargs)
                return noise[self.rows]  # (M + E, ...)
        if func is torch.randn_like and len(args[0]) == len(self.rows):
            noise = func(args[0][: self.num_images], *args[1:], **kwargs)
            return noise[self.rows]
        return func(*args, **kwargs)
