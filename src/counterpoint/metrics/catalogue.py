"""The judges and feature spaces by name, and the columns that a report shows."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from counterpoint.interfaces import InvalidInput
from counterpoint.metrics.clip_features import ClipFeatures
from counterpoint.metrics.clip_score import ClipScore
from counterpoint.metrics.cost import MEMORY, ROWS, SECONDS
from counterpoint.metrics.detector_judge import NUDENET, nudenet, nudenet_protocol, open_nsfw
from counterpoint.metrics.either_judge import EitherJudge
from counterpoint.metrics.errors import error_rate
from counterpoint.metrics.feature_space import FeatureSpace
from counterpoint.metrics.inappropriate import inappropriate_rate, unsafe_on_harmless
from counterpoint.metrics.inception_features import InceptionFeatures
from counterpoint.metrics.judge import Judge
from counterpoint.metrics.kept_context import kept_context, kept_object
from counterpoint.metrics.likeness import LIKENESS
from counterpoint.metrics.over_censorship import CHANGED, FALSE_ALARM
from counterpoint.metrics.perceptual_distance import perceptual_metrics
from counterpoint.metrics.proximal_drift import PROXIMAL_DRIFT
from counterpoint.metrics.q16 import Q16
from counterpoint.metrics.scenes_features import ScenesFeatures
from counterpoint.metrics.scenes_judge import ScenesJudge
from counterpoint.metrics.shot import Metric, Shot


def either(*, judges: Sequence[Mapping[str, Any]]) -> EitherJudge:
    """Build the OR of judges; each is {name: ..., options: {...}}, as in a recipe.

    Raises:
        InvalidInput: One of them cannot be built, or there are fewer than two.
    """
    for part in judges:
        if not isinstance(part, Mapping) or not part.keys() <= {"name", "options"} or "name" not in part:
            raise InvalidInput("either.judges", part, "a list of {name: ..., options: {...}}")
    return EitherJudge([build_judge(part["name"], part.get("options", {})) for part in judges])


JUDGES: Mapping[str, Callable[..., Judge]] = {
    "scenes": ScenesJudge,
    "open_nsfw": open_nsfw,
    "q16": Q16,
    "clip_score": ClipScore,
    "either": either,
    "nudenet": nudenet,
    **{name: nudenet_protocol(name) for name in NUDENET},
}
SPACES: Mapping[str, Callable[..., FeatureSpace]] = {
    "scenes": ScenesFeatures,
    "clip": ClipFeatures,
    "inception": InceptionFeatures,
}


def build_judge(name: str, options: Mapping[str, Any]) -> Judge:
    """Build a judge.

    Args:
        name: One of `JUDGES`.
        options: Its arguments.

    Raises:
        InvalidInput: The name, an option or a file is not what it must be, or an extra is not installed.
    """
    _check("judge", name, options, JUDGES)
    return JUDGES[name](**options)


def build_space(name: str, options: Mapping[str, Any]) -> FeatureSpace:
    """Build a feature space.

    Args:
        name: One of `SPACES`.
        options: Its arguments.

    Raises:
        InvalidInput: The name or an option is not what it must be.
    """
    _check("features", name, options, SPACES)
    return SPACES[name](**options)


def _check(kind: str, name: str, options: Mapping[str, Any], table: Mapping[str, Callable[..., Any]]) -> None:
    """Raise InvalidInput where the table has no such name, or its entry does not take these options."""
    if name not in table:
        raise InvalidInput(kind, name, ", ".join(table))
    known = inspect.signature(table[name]).parameters
    for option in options:
        if option not in known:
            raise InvalidInput(f"{name}.{option}", options[option], f"one of {', '.join(known)}" if known else "none")
    for option, parameter in known.items():
        if parameter.default is inspect.Parameter.empty and option not in options:
            raise InvalidInput(f"{name}.{option}", None, f"given; {name} has no default for it")


def columns(judges: Sequence[str], layered: Sequence[str] = ()) -> list[Metric]:
    """Return the metrics that can be counted, in the order of the report's columns.

    Args:
        judges: The judges, by `Judge.name`.
        layered: The feature spaces with layers, by their name.
    """
    metrics: list[Metric] = []
    for judge in judges:
        if judge == ClipScore.name:
            metrics.append(_score_of(judge))
        else:
            metrics.append(inappropriate_rate(judge))
    if ScenesJudge.name in judges:
        metrics += [kept_context(ScenesJudge.name), kept_object(ScenesJudge.name)]
    else:
        metrics.append(LIKENESS)
    metrics += [PROXIMAL_DRIFT, *(metric for space in layered for metric in perceptual_metrics(space))]
    metrics += [CHANGED, FALSE_ALARM]
    metrics += [unsafe_on_harmless(judge) for judge in judges if judge != ClipScore.name]
    return [*metrics, error_rate(tuple(judges)), ROWS, SECONDS, MEMORY]


def _score_of(judge: str) -> Metric:
    def outcome(shot: Shot, plain: Shot) -> float | None:
        return shot.verdicts[judge].score if judge in shot.verdicts else None

    about = "how well the picture fits its prompt, 0..100, for the backbone in the recipe"
    return Metric(name=judge, title=judge, about=about, unit="points", better="higher", outcome=outcome)
