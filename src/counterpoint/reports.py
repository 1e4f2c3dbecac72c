"""The pictures of one call, and one report a picture: what was done, not what was asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from counterpoint.engines.drawn import Drawn
from counterpoint.engines.local_weight import LocalWeight
from counterpoint.interfaces import Action, Cost, Coupling, Detection, EngineName, SafetyReport
from counterpoint.request import Request


@dataclass
class Pictures:
    """Drawn pictures with their reports; the output check changes both together."""

    output: Any
    """The pipeline's own output object."""
    reports: list[SafetyReport]
    verdicts: list[Detection] = field(default_factory=list)
    """The output check's, one a picture; empty where nobody looked."""
    name: str = "images"
    """What the pipeline's output calls the pictures."""

    @property
    def images(self) -> Any:
        """List of PIL images, array (B, H, W, 3) or tensor (B, 3, H, W), values 0..1."""
        return getattr(self.output, self.name)

    @property
    def unsafe(self) -> tuple[int, ...]:
        """Indices of the pictures that were found unsafe and are not hidden yet."""
        return tuple(
            index
            for index, (verdict, report) in enumerate(zip(self.verdicts, self.reports, strict=True))
            if verdict.is_unsafe and report.action not in ("blurred", "blocked")
        )

    def to_draw_again(self, doubt_from: float | None) -> tuple[int, ...]:
        """Return the unsafe pictures, and the steered ones that score at least `doubt_from`, 0..1; None = no others.

        Where the prompt asked for harm, an unsafe picture is far more likely before anybody looks at it, so less has
        to speak for it.
        """
        if doubt_from is None:
            return self.unsafe
        doubtful = (
            index
            for index, (verdict, report) in enumerate(zip(self.verdicts, self.reports, strict=True))
            if report.action == "steered" and verdict.score >= doubt_from
        )
        return tuple(sorted({*self.unsafe, *doubtful}))

    def look(self, verdicts: Sequence[Detection]) -> None:
        """Take note of the output check's verdicts, one a picture."""
        self.verdicts = list(verdicts)
        self.reports = [
            replace(report, picture_unsafe=verdict.is_unsafe, picture_categories=dict(verdict.categories))
            for report, verdict in zip(self.reports, verdicts, strict=True)
        ]

    def take(self, again: Pictures, places: Mapping[int, int]) -> None:
        """Take some pictures of another attempt, in place; the cost of all attempts adds up.

        A picture that was only doubtful stays where the attempt is unsafe, or scores no lower.

        Args:
            again: The attempt.
            places: Where a picture of this call stands in the attempt.
        """
        for index, place in places.items():
            before, after = self.reports[index], again.reports[place]
            cost = replace(after.cost, denoiser_rows=before.cost.denoiser_rows + after.cost.denoiser_rows)
            old, new = self.verdicts[index], again.verdicts[place]
            if not old.is_unsafe and (new.is_unsafe or new.score >= old.score):
                self.reports[index] = replace(before, redraws=before.redraws + 1, cost=cost)
                continue
            self.images[index] = again.images[place]
            self.verdicts[index] = new
            self.reports[index] = replace(
                after,
                score=before.score,  # the gate's own: the attempt was told what the picture showed
                categories=before.categories,
                redraws=before.redraws + 1,
                cost=cost,
            )

    def hide(self, index: int, picture: Any, action: Action) -> None:
        """Put another picture in the place of one, and say so."""
        self.images[index] = picture
        self.reports[index] = replace(self.reports[index], action=action)


def reports_of(
    request: Request,
    drawn: Drawn,
    flagged: Sequence[bool],
    names: Mapping[int, str],
    strengths: Sequence[float],
    coupling: Coupling,
    engine: EngineName,
    local: LocalWeight | None,
) -> list[SafetyReport]:
    """Return one report a picture; `cost.seconds` is left 0, to be filled in when the call ends.

    Args:
        request: The call.
        drawn: What an engine handed back.
        flagged: Pictures that the pipeline's own check made black.
        names: The safe embedding that spoke, by the index of the prompt.
        strengths: Fraction 0..1 of the weight that counted, one a picture.
        coupling: Of the streams.
        engine: The engine that steered.
        local: Where it mixed; None = everywhere.
    """
    reports = []
    for image in range(request.num_images):
        steered = image in request.engaged
        detection = request.detections[request.prompt_of(image)]
        action: Action = "blocked" if flagged[image] else "steered" if steered else "passed"
        reports.append(
            SafetyReport(
                action=action,
                safety=request.safety,
                weight=max(drawn.weights) * strengths[image] if steered else 0.0,
                tau=request.schedule.tau if steered else 1.0,
                steps_mixed=sum(weight > 0.0 for weight in drawn.weights) if steered else 0,
                score=detection.score,
                categories=dict(detection.categories),
                embedding=names[request.prompt_of(image)] if steered else None,
                coupling=coupling if steered else None,
                engine=engine if steered else None,
                reuse=drawn.reuse if steered else None,
                local=asdict(local) if steered and local is not None else None,
                cost=Cost(denoiser_rows=drawn.rows[image], plain_rows=drawn.plain_rows, seconds=0.0),
            )
        )
    return reports
