"""What validation prompts decide: how both views of the prompt classifier are joined, and its working points."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from counterpoint.interfaces import Point
from counterpoint.training.prompt_classifier_sets import Example
from counterpoint.training.prompt_classifier_targets import UNKNOWN

MOST_ALARMS: dict[Point, dict[str, float]] = {
    "steer": {"coco": 0.05, "coco, dressed": 0.08, "gallery": 0.34},
    "balanced": {"coco": 0.05, "coco, dressed": 0.08, "hard": 0.1, "gallery": 0.07},
    "block": {"coco": 0.005, "coco, dressed": 0.01, "hard": 0.03, "gallery": 0.01},
}
"""False alarms that a working point may give on the harmless validation prompts of each group."""
HARD = ("look-alikes", "situations", "twins", "twins, dressed", "art")
"""The sources of the group "hard"; each counts as much as any other, however many prompts it has."""

TWINS = (
    "copro",
    "copro, dressed",
    "twins",
    "twins, dressed",
    "situations",
    "art",
    "written",
    "written, dressed",
    "gallery",
)
"""The sources that hold both labels in the same forms."""


def fit_join(meaning: Tensor, letters: Tensor, target: Tensor) -> dict[str, Tensor]:
    """Return a, b >= 0 and c of each output that minimise the cross entropy: Platt scaling of two views."""
    raw = torch.zeros(2, meaning.shape[1], requires_grad=True)  # softplus(0) = 0.69
    bias = torch.zeros(meaning.shape[1], requires_grad=True)
    optimiser = torch.optim.LBFGS([raw, bias], max_iter=200, line_search_fn="strong_wolfe")
    known = (target != UNKNOWN).float()

    def closure() -> Tensor:
        optimiser.zero_grad()
        a, b = nn.functional.softplus(raw)
        logits = a * meaning + b * letters + bias
        losses = binary_cross_entropy_with_logits(logits, target.clamp_min(0), reduction="none") * known
        loss: Tensor = losses.sum(1).mean()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    a, b = nn.functional.softplus(raw.detach())
    return {"meaning": a, "letters": b, "bias": bias.detach()}


def joined(join: dict[str, Tensor], meaning: Tensor, letters: Tensor) -> Tensor:
    """Return a meaning + b letters + c."""
    return join["meaning"] * meaning + join["letters"] * letters + join["bias"]


def lowest_thresholds(scores: Tensor, rows: Sequence[Example], most: dict[str, float]) -> dict[str, float]:
    """Return, by group, the lowest threshold with no more alarms than allowed on its harmless prompts.

    Args:
        scores: Overall probabilities, (B,).
        rows: The validation prompts.
        most: Alarms allowed, 0..1, by group: a source, or "hard" for the mean over those of `HARD`.
    """
    thresholds: dict[str, float] = {}
    for group, share in most.items():
        sources = HARD if group == "hard" else (group,)
        benign = [(float(s), r.source) for s, r in zip(scores, rows, strict=True) if not r.is_unsafe]
        benign = sorted((pair for pair in benign if pair[1] in sources), reverse=True)
        counts = Counter(source for _, source in benign)
        alarms = 0.0
        for score, source in benign:
            alarms += 1 / (counts[source] * len(counts))
            if alarms > share + 1e-9:
                thresholds[group] = score + 1e-6
                break
    return thresholds


def auc(unsafe: Tensor, safe: Tensor) -> float:
    """Return the chance that an unsafe prompt scores above a safe one; equal scores count half (Mann, Whitney 1947)."""
    ranked, unsafe = safe.sort().values, unsafe.contiguous()
    below = torch.searchsorted(ranked, unsafe)
    up_to = torch.searchsorted(ranked, unsafe, right=True)
    return float((below + up_to).double().mean() / (2 * len(safe)))


def validation_report(scores: Tensor, rows: Sequence[Example]) -> dict[str, float]:
    """Return figures of the validation prompts, by which versions are compared."""

    def of(is_unsafe: bool, *sources: str) -> Tensor:
        return torch.tensor(
            [float(s) for s, r in zip(scores, rows, strict=True) if r.is_unsafe == is_unsafe and r.source in sources]
        )

    unsafe = ("copro", "copro, dressed", "situations", "art")
    pairs = {name: (of(True, name), of(False, name)) for name in TWINS}
    pairs |= {f"unsafe / {name}": (of(True, *unsafe), of(False, name)) for name in ("coco", "coco, dressed", *HARD)}
    pairs["nibbler / coco"] = (of(True, "nibbler"), of(False, "coco"))
    return {name: round(auc(*both), 4) for name, both in pairs.items() if len(both[0]) and len(both[1])}


def above(scores: Tensor, rows: Sequence[Example], threshold: float) -> dict[str, float]:
    """Return the share of prompts from `threshold` on, 0..1, by label and source."""
    found: dict[str, list[bool]] = {}
    for score, row in zip(scores.tolist(), rows, strict=True):
        found.setdefault(f"{'recall' if row.is_unsafe else 'alarms'}, {row.source}", []).append(score >= threshold)
    return {name: round(sum(hits) / len(hits), 4) for name, hits in sorted(found.items())}


def points_of(scores: Tensor, rows: Sequence[Example]) -> dict[Point, dict[str, Any]]:
    """Return the working points that the overall probabilities of validation prompts fix, and what they do there."""
    points: dict[Point, dict[str, Any]] = {}
    harmless = {row.source for row in rows if not row.is_unsafe}
    for name, limits in MOST_ALARMS.items():
        most = {group: share for group, share in limits.items() if group in harmless or group == "hard"}
        if missing := limits.keys() - most.keys():
            print(
                f"{name}: not limited by {', '.join(sorted(missing))}, of which there are no prompts", file=sys.stderr
            )
        lowest = lowest_thresholds(scores, rows, most)
        threshold = max(lowest.values())
        points[name] = {
            "threshold": threshold,
            "most_alarms": most,
            "lowest_thresholds": lowest,
            "validation": above(scores, rows, threshold),
        }
    return points
