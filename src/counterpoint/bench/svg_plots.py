"""The two plots of a report as SVG that takes its ink from the page, so that it suits light and dark."""

from __future__ import annotations

import html
import io
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from counterpoint.results import Figure

INK = "#010203"
"""Stands for the page's own text colour until the SVG is written."""
PLAIN = "#8a8f98"
COLOURS = ("#3b7ddd", "#d95f1e", "#1f9a70", "#b8509f", "#a8821a", "#2594ab", "#8466e0", "#a5623c",
           "#6f8a2c", "#e0557f", "#5b83ab", "#c9483f", "#3f9486", "#b06fd0", "#8f7a63")  # fmt: skip
"""Each stands out from a white and from a dark ground, 3:1 or better."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*", "p", "d", "x", "h", "2")
"""A shape for each colour, for those who cannot tell the colours apart; drawn hollow, so that none hides another."""
DASHES = ("-", "--", ":", "-.")
WIDTH, HEIGHT, LEGEND_ROW = 6.0, 4.0, 0.24
"""Inches of a plot, and what each row of its legend adds below."""
METADATA = ("Creator", "Date", "Format", "Type")
"""Fields that matplotlib would write by itself."""


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


def front_plot(points: Sequence[Point], colours: Mapping[str, str], context: str = "context kept") -> str:
    """Unsafe rate against kept context, or its proxy, each with its interval; the good corner is the upper left."""
    with _axes(f"Unsafe pictures against {context}, one point a setting", points) as (axes, finish):
        for n, (family, colour) in enumerate(colours.items()):
            own = [point for point in points if point.family == family]
            marker = {"marker": MARKERS[n % len(MARKERS)], "markersize": 6.5, "markerfacecolor": "none"}
            if len(own) > 1:
                axes.plot([p.unsafe.value for p in own], [p.context.value for p in own], color=colour, alpha=0.45)
            for point in own:
                x, y = point.unsafe, point.context
                axes.errorbar(
                    x.value, y.value, xerr=_arms(x), yerr=_arms(y), color=colour, ecolor=(colour, 0.6), elinewidth=1.0,
                    **marker,
                )  # fmt: skip
            if own:
                axes.plot([], [], linestyle="", color=colour, label=_plain(family), **marker)
        axes.set(xlabel="unsafe pictures (left is safer)", ylabel=f"{context} (up is better)")
        axes.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.06))
    return str(finish())


def _plain(name: str) -> str:
    """Return a name that is drawn as it stands: "$" would begin a formula, a "_" in front would keep it out."""
    shown = name.replace("$", r"\$")
    return f"\u200b{shown}" if shown.startswith("_") else shown


def _arms(figure: Figure) -> list[list[float]]:
    """Lengths of an error bar's arms; never below 0, which rounding at 0 and 1 would give."""
    return [[max(figure.value - figure.low, 0.0)], [max(figure.high - figure.value, 0.0)]]


def dial_plot(dial: Sequence[float], lines: Mapping[str, Sequence[Figure]]) -> str:
    """One line a figure along the dial, its 95 % interval as a band."""
    with _axes(f"{', '.join(lines)} along the dial", lines) as (axes, finish):
        for n, (label, figures) in enumerate(lines.items()):
            colour, marker, dashes = (looks[n % len(looks)] for looks in (COLOURS, MARKERS, DASHES))
            look = {"color": colour, "marker": marker, "markersize": 5, "linestyle": dashes}
            axes.plot(dial, [f.value for f in figures], label=label, **look)
            low, high = [f.low for f in figures], [f.high for f in figures]
            axes.fill_between(dial, low, high, color=colour, alpha=0.2, linewidth=0)
        axes.set(xlabel="safety (0 is the plain model)", ylabel="share of pictures")
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.03, 1.03))
        axes.xaxis.set_major_formatter("{x:g}")
    return str(finish())


@contextmanager
def _axes(title: str, data: object) -> Iterator[tuple[Any, Any]]:
    """Yield axes in per cent and what writes them as SVG, with a legend below that covers nothing.

    The ids of a page's plots have to differ, so they come from what is drawn.
    """
    import matplotlib
    from matplotlib.figure import Figure as Canvas

    style = {
        "svg.fonttype": "none", "svg.hashsalt": f"{title} {data}", "font.size": 11, "text.color": INK,
        "axes.labelcolor": INK, "axes.edgecolor": INK, "xtick.color": INK, "ytick.color": INK, "grid.color": INK,
        "axes.linewidth": 0.6, "axes.labelpad": 7, "lines.linewidth": 1.6,
    }  # fmt: skip
    with matplotlib.rc_context(style):
        canvas = Canvas(figsize=(WIDTH, HEIGHT), layout="constrained")
        axes = canvas.subplots()
        axes.grid(alpha=0.12, linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
        axes.xaxis.set_major_formatter(matplotlib.ticker.PercentFormatter(1.0, symbol=" %"))
        axes.yaxis.set_major_formatter(matplotlib.ticker.PercentFormatter(1.0, symbol=" %"))

        def finish() -> str:
            names = axes.get_legend_handles_labels()[1]
            canvas.set_figheight(HEIGHT + LEGEND_ROW * math.ceil(len(names) / 2))
            canvas.legend(loc="outside lower center", ncols=2, columnspacing=3.5, frameon=False, labelcolor=INK)
            buffer = io.StringIO()
            with matplotlib.rc_context(style):
                canvas.savefig(buffer, format="svg", transparent=True, metadata=dict.fromkeys(METADATA))
            return _for_a_page(buffer.getvalue(), title)

        yield axes, finish


def _for_a_page(svg: str, title: str) -> str:
    """Drop the XML head, let ink and fonts come from the page and the width follow it, and say what is drawn."""
    svg = svg[svg.index("<svg") :].replace(INK, "currentColor")
    svg = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px", svg)  # one way or the other, by version
    svg = re.sub(r"font-family: [^;\"]*;?", "", svg)
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)  # "axes_1" stands in every plot
    head, _, rest = svg.partition(">")
    head = re.sub(r' (width|height)="[^"]*"', "", head)
    return f'{head} role="img" aria-label="{html.escape(title)}">{rest}'
