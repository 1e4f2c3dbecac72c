"""Cost: rows of the denoiser against the plain pipeline, wall-clock seconds, and memory."""

from __future__ import annotations

from counterpoint.metrics.shot import Metric, Shot


def relative_rows(shot: Shot, plain: Shot) -> float | None:
    """Denoiser rows / the plain pipeline's rows; None where they are not known."""
    return shot.denoiser_rows / shot.plain_rows if shot.denoiser_rows and shot.plain_rows else None


ROWS = Metric(
    name="rows",
    title="rows",
    about="rows that the denoiser ran, by the plain pipeline's; 1 = as dear as the plain model",
    unit="times plain",
    better="lower",
    outcome=relative_rows,
)
SECONDS = Metric(
    name="seconds",
    title="seconds",
    about="wall-clock seconds a picture, in batches, as they were drawn; other work on the machine counts in",
    unit="s",
    better=None,
    outcome=lambda shot, plain: shot.seconds,
)
MEMORY = Metric(
    name="peak memory",
    title="memory",
    about="most memory held while a batch was drawn, weights included: the GPU's, or the process's on the CPU",
    unit="MiB",
    better=None,
    outcome=lambda shot, plain: shot.peak_memory,
)
