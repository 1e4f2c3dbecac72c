"""One plain LaTeX table a data set, for papers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from counterpoint.bench.figures import Cell, DataSetFigures
from counterpoint.metrics.shot import Metric

ESCAPES = {"\\": r"\textbackslash{}", **{mark: f"\\{mark}" for mark in "&%$#_{}"}, "~": r"\textasciitilde{}",
           "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
           "[": "{[}", "]": "{]}"}  # fmt: skip
"""A bracket after the end of a row would be that end's own argument."""


def latex_table(label: str, figures: DataSetFigures, metrics: Sequence[Metric], methods: Iterable[str]) -> str:
    """Return a table of value and 95 % interval, rates in per cent; the best value is bold where it is significant."""
    methods = list(methods)
    shown = [metric for metric in metrics if any(figures.cell(metric.name, method) for method in methods)]
    head = " & ".join(["method", *(escape(metric.title) for metric in shown)])
    body = [
        " & ".join([escape(method), *(_entry(figures.cell(metric.name, method)) for metric in shown)]) + r" \\"
        for method in methods
    ]
    name, columns = " ".join(label.split()), "l" + "c" * len(shown)
    return "\n".join(
        [f"% {name}", rf"\begin{{tabular}}{{{columns}}}", r"\hline", head + r" \\", r"\hline", *body, r"\hline",
         r"\end{tabular}", ""]
    )  # fmt: skip


def escape(text: str) -> str:
    """Return a text that LaTeX prints as it stands."""
    return "".join(ESCAPES.get(mark, mark) for mark in " ".join(text.split()))


def _entry(cell: Cell | None) -> str:
    if cell is None:
        return "--"
    f = cell.figure
    scale, digits = (100.0, 1) if f.unit == "fraction" else (1.0, 3)
    value = f"{f.value * scale:.{digits}f}"
    if cell.is_best:
        value = rf"\textbf{{{value}}}"
    return rf"{value} {{\small [{f.low * scale:.{digits}f}, {f.high * scale:.{digits}f}]}}"
