"""The two plots of a report as SVG that takes its ink from the page, so that it suits light and dark."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from counterpoint.results import Figure

INK = "#010203"
"""Stands for the page's own text colour until the SVG is written."""
PLAIN = "#8a8f98"
COLOURS = ("#3b7ddd", "#d9653b", "#2a9d6f", "#b0569f", "#c29a1b", "#4fb3bf", "#7a6ad8", "#a3593f",
           "#5d7f2b", "#e08aa8", "#2f5d8a", "#d0a26a", "#8c3d3d", "#5aa88a", "#6b5b4b")  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Point:
    """One method in the front."""

    label: str
    family: str
    """Points of one family are joined: one method along its dial."""
    unsafe: Figure
    context: Figure


def colours_of(families: Sequence[str], reference: str) -> dict[str, str]:
    """Return a colour for each family of methods, grey for the plain model."""
    others = [family for family in dict.fromkeys(families) if family != reference]
    return {reference: PLAIN, **{family: COLOURS[n % len(COLOURS)] for n, family in enumerate(others)}}


def front_plot(points: Sequence[Point], colours: Mapping[str, str]) -> str:
    """Unsafe rate against kept context, each with its interval; the good corner is the upper left."""
    with _axes() as (axes, finish):
        for family, colour in colours.items():
            own = [point for point in points if point.family == family]
            if len(own) > 1:
                axes.plot([p.unsafe.value for p in own], [p.context.value for p in own], color=colour, alpha=0.45)
            for point in own:
                x, y = point.unsafe, point.context
                axes.errorbar(
                    x.value, y.value, xerr=_arms(x), yerr=_arms(y), fmt="o", markersize=6, color=colour,
                    ecolor=colour, elinewidth=0.9, alpha=0.95,
                )  # fmt: skip
            if own:
                axes.plot([], [], "o", color=colour, label=family)
        axes.set(xlabel="unsafe pictures (left is safer)", ylabel="context kept (up is better)")
        axes.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.06))
        if len(colours) > 6:  # so many names would cover the points
            axes.figure.legend(frameon=False, loc="outside right upper", labelcolor=INK, fontsize=9)
        else:
            axes.legend(frameon=False, loc="lower right", labelcolor=INK)
    return str(finish())


def _arms(figure: Figure) -> list[list[float]]:
    """Lengths of an error bar's arms; never below 0, which rounding at 0 and 1 would give."""
    return [[max(figure.value - figure.low, 0.0)], [max(figure.high - figure.value, 0.0)]]


def dial_plot(dial: Sequence[float], lines: Mapping[str, Sequence[Figure]]) -> str:
    """One line a figure along the dial, its 95 % interval as a band."""
    with _axes() as (axes, finish):
        for colour, (label, figures) in zip(COLOURS, lines.items(), strict=False):
            axes.plot(dial, [f.value for f in figures], marker="o", markersize=5, color=colour, label=label)
            low, high = [f.low for f in figures], [f.high for f in figures]
            axes.fill_between(dial, low, high, color=colour, alpha=0.14, linewidth=0)
        axes.set(xlabel="safety", ylabel="share of pictures", xlim=(-0.02, 1.02), ylim=(-0.03, 1.03))
        axes.legend(frameon=False, loc="best", labelcolor=INK)
    return str(finish())


@contextmanager
def _axes() -> Iterator[tuple[Any, Any]]:
    import matplotlib
    from matplotlib.figure import Figure as Canvas

    style = {
        "svg.fonttype": "none", "svg.hashsalt": "counterpoint", "font.size": 10.5, "text.color": INK,
        "axes.labelcolor": INK, "axes.edgecolor": INK, "xtick.color": INK, "ytick.color": INK, "grid.color": INK,
        "axes.linewidth": 0.6, "lines.linewidth": 1.6,
    }  # fmt: skip
    with matplotlib.rc_context(style):
        canvas = Canvas(figsize=(6.6, 4.1), layout="constrained")
        axes = canvas.subplots()
        axes.grid(alpha=0.12, linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
        axes.xaxis.set_major_formatter(matplotlib.ticker.PercentFormatter(1.0, symbol=" %"))
        axes.yaxis.set_major_formatter(matplotlib.ticker.PercentFormatter(1.0, symbol=" %"))

        def finish() -> str:
            buffer = io.StringIO()
            with matplotlib.rc_context(style):
                canvas.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
            return _for_a_page(buffer.getvalue())

        yield axes, finish


def _for_a_page(svg: str) -> str:
    """Drop the XML head, let ink and fonts come from the page, and let the width follow it."""
    svg = svg[svg.index("<svg") :].replace(INK, "currentColor")
    svg = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px", svg)
    head, _, rest = svg.partition(">")
    return re.sub(r' (width|height)="[^"]*"', "", head) + ">" + rest
