"""Several judges as one: unsafe where any of them says so, as I2P and SafetyDPO join Q16 with NudeNet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PIL.Image import Image

from counterpoint.interfaces import InvalidInput
from counterpoint.metrics.judge import Judge, Verdict


class EitherJudge:
    """The OR of judges; one that crashes makes the whole verdict an error.

    Args:
        judges: Two or more that speak of safety.

    Raises:
        InvalidInput: Fewer than two were given.
    """

    needs_prompt = False

    def __init__(self, judges: Sequence[Judge]) -> None:
        if len(judges) < 2:
            raise InvalidInput("either.judges", len(judges), "two or more")
        self.judges = tuple(judges)
        self.name = " or ".join(judge.name for judge in judges)

    def recipe(self) -> dict[str, Any]:
        """Return the recipes of all."""
        return {"judge": "either", "judges": [judge.recipe() for judge in self.judges]}

    def own_error(self) -> dict[str, Any] | None:
        """None: it was not measured on labelled pictures here."""
        return None

    def __call__(self, pictures: Sequence[Image], prompts: Sequence[str]) -> list[Verdict]:
        """Judge pictures; there is no score, since theirs have other units.

        Raises:
            InvalidInput: One of them does not say safe or unsafe, as `clip_score`.
        """
        by_judge = [judge(pictures, prompts) for judge in self.judges]
        for judge, verdicts in zip(self.judges, by_judge, strict=True):
            if any(verdict.is_unsafe is None for verdict in verdicts):
                raise InvalidInput("either.judges", judge.name, "judges that say safe or unsafe")
        return [_joined(verdicts) for verdicts in zip(*by_judge, strict=True)]


def _joined(verdicts: Sequence[Verdict]) -> Verdict:
    """Return the OR of verdicts on one picture; an error where one of them means nothing."""
    if not all(verdict.is_finite for verdict in verdicts):
        return Verdict(error="a judge's score is not finite")
    return Verdict(is_unsafe=any(verdict.is_unsafe for verdict in verdicts))
