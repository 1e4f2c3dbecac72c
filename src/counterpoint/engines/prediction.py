"""What denoisers return, row by row: a tensor, a list of rows, or a tuple or ModelOutput of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from counterpoint.interfaces import SafetyFailure


def rows_of(prediction: Any, rows: Sequence[int]) -> list[Tensor]:
    """Return some rows of a prediction: one tensor (R, ...) for each tensor in it; one (1, ...) for each row of a list.

    Raises:
        SafetyFailure: There is something else in it.
    """
    match prediction:
        case Tensor():
            return [prediction if _is_all(rows, prediction) else prediction[list(rows)]]
        case list():
            return [prediction[row].unsqueeze(0) for row in rows]
        case tuple():
            return [part for item in prediction for part in rows_of(item, rows)]
        case dict():  # a ModelOutput is one
            return [part for item in prediction.values() for part in rows_of(item, rows)]
        case _:
            raise SafetyFailure(f"the denoiser returned a {type(prediction).__name__}, which cannot be mixed")


def with_rows(prediction: Any, rows: Sequence[int], parts: Sequence[Tensor]) -> Any:
    """Return the prediction with other rows, `parts` as `rows_of` gives them; `prediction` is not changed."""
    return _with_rows(prediction, rows, iter(parts))


def _with_rows(prediction: Any, rows: Sequence[int], parts: Iterator[Tensor]) -> Any:
    match prediction:
        case Tensor():
            if _is_all(rows, prediction):
                return next(parts)
            changed = prediction.clone()
            changed[list(rows)] = next(parts)
            return changed
        case list():
            changed_rows = list(prediction)
            for row in rows:
                changed_rows[row] = next(parts)[0]
            return changed_rows
        case tuple():
            return tuple(_with_rows(item, rows, parts) for item in prediction)
        case _:
            return type(prediction)(**{name: _with_rows(item, rows, parts) for name, item in prediction.items()})


def first_rows(prediction: Any, count: int) -> Any:
    """Return the prediction of the first `count` rows."""
    match prediction:
        case Tensor() | list():
            return prediction[:count]
        case tuple():
            return tuple(first_rows(item, count) for item in prediction)
        case _:
            return type(prediction)(**{name: first_rows(item, count) for name, item in prediction.items()})


def fitted(part: Tensor, to: Tensor) -> Tensor:
    """Return `part` with as many tokens as `to` has, both (R, L, ...).

    Some denoisers answer for the text as well, in front of the latents, which nobody reads. Texts differ in length, so
    that the last tokens go together; those in front that `part` lacks are taken from `to`.
    """
    if part.shape == to.shape or part.ndim != 3:
        return part
    count = min(part.shape[1], to.shape[1])
    return torch.cat([to[:, :-count], part[:, -count:]], dim=1)


def is_finite(prediction: Any) -> bool:
    """Whether a prediction holds neither NaN nor infinity."""
    if isinstance(prediction, Tensor):
        return bool(torch.isfinite(prediction).all())
    return all(map(is_finite, prediction.values() if isinstance(prediction, dict) else prediction))


def _is_all(rows: Sequence[int], prediction: Tensor) -> bool:
    return list(rows) == list(range(len(prediction)))
