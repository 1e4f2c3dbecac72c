"""What a feature space promises: it turns pictures into vectors; every figure that is counted in it bears its name.

Distances in two spaces are not comparable. "FID" and "KID" without a name mean Inception's features, whose weights do
not come with this package.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from PIL.Image import Image
from torch import Tensor

from counterpoint.interfaces import InvalidInput


class FeatureSpace(Protocol):
    """Vectors of pictures; must raise rather than guess."""

    @property
    def name(self) -> str:
        """As figures call it: "FID over NAME"."""
        ...

    def recipe(self) -> dict[str, Any]:
        """JSON-able: everything that decides a vector."""
        ...

    def __call__(self, pictures: Sequence[Image]) -> Tensor:
        """Return one vector a picture, (B, D), single precision, on the CPU."""
        ...


@runtime_checkable
class LayeredSpace(FeatureSpace, Protocol):
    """A feature space whose layers a perceptual distance can look through."""

    def layers(self, pictures: Sequence[Image]) -> list[Tensor]:
        """Return what each layer answers, (B, C, H, W) each, from the first to the last."""
        ...


def check_features(first: Tensor, second: Tensor) -> None:
    """Raise InvalidInput unless both are finite features of one width, with at least two rows."""
    if first.ndim != 2 or second.ndim != 2 or first.shape[1:] != second.shape[1:] or min(map(len, (first, second))) < 2:
        shapes = f"{tuple(first.shape)} and {tuple(second.shape)}"
        raise InvalidInput("features", shapes, "(N, D) and (M, D), N and M from 2")
    if not (bool(first.isfinite().all()) and bool(second.isfinite().all())):
        raise InvalidInput("features", "NaN or infinite", "finite numbers")
