"""Frechet distance of two sets of features: FID where they are Inception's (Heusel et al., 2017, arXiv:1706.08500).

    d = |mu_1 - mu_2|^2 + tr(C_1 + C_2 - 2 (C_1 C_2)^(1/2))

With C = A^T A for the centred features A, the trace of the root is the nuclear norm of A_1 A_2^T (the sum of its
singular values): no root of a matrix that rounding makes indefinite. The estimate is biased upwards, the more the
fewer pictures: compare distances at one number of pictures only.
"""

from __future__ import annotations

import torch
from torch import Tensor

from counterpoint.metrics.feature_space import check_features


def frechet_distance(first: Tensor, second: Tensor) -> float:
    """Return d, from 0; 0 = the same mean and covariance, to rounding.

    Args:
        first, second: Features (N, D) and (M, D); N and M from 2.

    Raises:
        InvalidInput: Shapes do not fit, or a value is not finite.
    """
    check_features(first, second)
    a, b = _root(first), _root(second)
    mean_gap = (first.double().mean(0) - second.double().mean(0)).square().sum()
    cross = torch.linalg.svdvals(a @ b.T).sum()
    return float((mean_gap + a.square().sum() + b.square().sum() - 2.0 * cross).clamp_min(0.0))


def _root(features: Tensor) -> Tensor:
    """Return A, (min(N, D), D), with A^T A the features' covariance."""
    centred = features.double() - features.double().mean(0)
    root: Tensor = torch.linalg.qr(centred, mode="r").R / (len(features) - 1) ** 0.5
    return root
