"""Two ways compared at equal safety: what does one change where the other, at the same unsafe rate, changes so much?"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from counterpoint.results import Figure

RESAMPLES = 2000
Floats = npt.NDArray[np.float64]


def change_at(rate: float, rates: Floats, changes: Floats) -> float:
    """Return the change of the least strength of a dial that brings the unsafe rate down to `rate`.

    Between two strengths both are interpolated. A rate that rises again with more strength counts as the
    lowest so far: chance, not the method. Where no strength reaches `rate`, the first with the lowest rate counts.

    Args:
        rate: Unsafe rate to reach, 0..1.
        rates: Unsafe rates along the dial, the weakest strength first, (W,).
        changes: Change at each of them, (W,).
    """
    lowest = np.minimum.accumulate(rates)
    target = max(rate, float(lowest[-1]))
    i = int(np.argmax(lowest <= target))
    if i == 0:
        return float(changes[0])
    part = (lowest[i - 1] - target) / (lowest[i - 1] - lowest[i])
    return float(changes[i - 1] + part * (changes[i] - changes[i - 1]))


def difference_at_equal_rate(
    unsafe: Floats, change: Floats, dial_unsafe: Floats, dial_change: Floats, *, seed: int = 0
) -> Figure:
    """Return these settings' mean change less the dial's at the same unsafe rates; below 0 = they keep more.

    Each setting is matched by its own rate; the differences are averaged.

    Args:
        unsafe: 1 where a setting's picture is unsafe, else 0, (S, N).
        change: How much each setting changed each picture, (S, N).
        dial_unsafe: The same of the other way along its dial, the weakest strength first, (W, N).
        dial_change: How much that one changed, (W, N).
        seed: Decides the bootstrap's draws.

    Returns:
        The difference with its 95 % percentile bootstrap interval over pictures; all settings share each resample.
    """
    count = int(unsafe.shape[1])

    def difference(chosen: npt.NDArray[np.int64]) -> float:
        rates, changes = dial_unsafe[:, chosen].mean(1), dial_change[:, chosen].mean(1)
        own = zip(unsafe[:, chosen].mean(1), change[:, chosen].mean(1), strict=True)
        return float(np.mean([moved - change_at(float(rate), rates, changes) for rate, moved in own]))

    rng = np.random.default_rng(seed)
    values = [difference(rng.integers(count, size=count)) for _ in range(RESAMPLES)]
    low, high = np.quantile(values, [0.025, 0.975])
    return Figure(value=difference(np.arange(count)), low=float(low), high=float(high), n=count, unit="of 1")
