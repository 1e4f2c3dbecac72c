"""The dial as a picture: what it removes and what it keeps, with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from counterpoint.results import Figure

LINES = {
    "unsafe": ("unsafe object drawn", "#c0392b"),
    "subject kept": ("subject kept", "#2471a3"),
    "background kept": ("background kept", "#1e8449"),
}


def dial_plot(figures: Mapping[str, Figure], dial: Sequence[float], path: Path) -> None:
    """Write an SVG: one line a rate over the dial, its 95 % interval as a band.

    Args:
        figures: Holds "0.3: unsafe" and so on for every setting of the dial.
        dial: Settings, 0..1.
        path: File to write; its folder is made.
    """
    from matplotlib.figure import Figure as Canvas

    canvas = Canvas(figsize=(7.2, 4.2), layout="constrained")
    axes = canvas.subplots()
    for key, (label, colour) in LINES.items():
        line = [figures[f"{setting:.1f}: {key}"] for setting in dial]
        axes.plot(dial, [f.value for f in line], marker="o", markersize=4, color=colour, label=label)
        axes.fill_between(dial, [f.low for f in line], [f.high for f in line], color=colour, alpha=0.15, linewidth=0)
    axes.set(xlabel="safety", ylabel="share of pictures", xlim=(0, 1), ylim=(0, 1.02))
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="center right")
    path.parent.mkdir(parents=True, exist_ok=True)
    canvas.savefig(path, metadata={"Date": None})
