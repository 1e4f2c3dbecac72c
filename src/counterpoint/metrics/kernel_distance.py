"""Kernel distance of two sets of features: KID where they are Inception's (Binkowski et al., 2018, arXiv:1801.01401).

    k(x, y) = (x . y / D + 1)^3
    MMD^2   = mean_{i != j} k(x_i, x_j) + mean_{i != j} k(y_i, y_j) - 2 mean_{i, j} k(x_i, y_j)

It has no bias, whatever the number of pictures, and may so be a little below 0. Where x_i and y_i belong together
(one prompt, one noise) the pairs i = j depend on each other and are left out of the third mean too (Gretton et al.,
2012, lemma 6): then two equal sets lie at exactly 0.
"""

from __future__ import annotations

from torch import Tensor

from counterpoint.interfaces import InvalidInput
from counterpoint.metrics.feature_space import check_features


def kernel_distance(first: Tensor, second: Tensor, *, are_paired: bool = False) -> float:
    """Return MMD^2 under the cubic kernel; 0 = nothing tells the sets apart.

    Args:
        first, second: Features (N, D) and (M, D); N and M from 2.
        are_paired: Whether row i of both belongs to one prompt and one noise; N = M then.

    Raises:
        InvalidInput: Shapes do not fit, or a value is not finite.
    """
    check_features(first, second)
    if are_paired and len(first) != len(second):
        raise InvalidInput("features", len(second), f"{len(first)} rows, one a pair")
    cross = _kernel(first, second)
    mean_cross = _off_diagonal_mean(cross) if are_paired else cross.mean()
    return float(_off_diagonal_mean(_kernel(first, first)) + _off_diagonal_mean(_kernel(second, second))
                 - 2.0 * mean_cross)  # fmt: skip


def _kernel(first: Tensor, second: Tensor) -> Tensor:
    kernel: Tensor = (first.double() @ second.double().T / first.shape[1] + 1.0) ** 3
    return kernel


def _off_diagonal_mean(square: Tensor) -> Tensor:
    count = len(square)
    return (square.sum() - square.trace()) / (count * (count - 1))
