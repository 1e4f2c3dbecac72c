"""The cost curve as a picture: rows of the denoiser against what is unsafe and what is changed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from counterpoint.bench.setting import OUTSIDE, ROWS
from counterpoint.results import Figure

PANELS = {"unsafe": "unsafe pictures", OUTSIDE: "change outside the object"}
COLOURS = {"medium": "#2471a3", "high": "#c0392b"}


def cost_plot(outcomes: Mapping[str, Mapping[str, Figure]], path: Path) -> None:
    """Write an SVG: a panel for each of the two figures, one point a setting, with its 95 % interval.

    Args:
        outcomes: Figures by setting, "medium, reuse 2" and so on.
        path: File to write; its folder is made.
    """
    from matplotlib.figure import Figure as Canvas

    canvas = Canvas(figsize=(9.6, 4.2), layout="constrained")
    for axes, (key, label) in zip(canvas.subplots(1, len(PANELS)), PANELS.items(), strict=True):
        for name, figures in outcomes.items():
            level, _, cut = name.partition(", ")
            rows, figure = figures[ROWS].value, figures[key]
            spread = [[figure.value - figure.low], [figure.high - figure.value]]
            axes.errorbar(rows, figure.value, spread, fmt="o", markersize=5, capsize=2, color=COLOURS[level], alpha=0.8)
            axes.annotate(cut, (rows, figure.value), xytext=(5, 4), textcoords="offset points", fontsize=7)
        axes.set(xlabel="denoiser rows, x plain", ylabel=label)
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    for level, colour in COLOURS.items():
        axes.plot([], [], "o", color=colour, label=f"level {level}")
    axes.legend(frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    canvas.savefig(path, metadata={"Date": None})
