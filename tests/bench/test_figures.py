"""Tables and plots: a star only where the data decide, nothing that a page would have to fetch."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from counterpoint.bench.figures import measure
from counterpoint.bench.latex import escape, latex_table
from counterpoint.bench.page import _headline, interval_text, value_text
from counterpoint.bench.plan import read_plan
from counterpoint.bench.recipe import parse_recipe
from counterpoint.bench.report import build_report, write_report
from counterpoint.bench.run import run
from counterpoint.bench.store import Store
from counterpoint.bench.svg_plots import COLOURS, MARKERS, PLAIN, Point, colours_of, dial_plot, front_plot
from counterpoint.metrics.inappropriate import inappropriate_rate
from counterpoint.metrics.judge import Verdict
from counterpoint.metrics.shot import Shot
from counterpoint.results import Figure, rate

JUDGE = "judge"
UNSAFE = inappropriate_rate(JUDGE)


def shots(unsafe: int, total: int, errors: int = 0) -> list[Shot]:
    """Shots of which the first `unsafe` are unsafe and the last `errors` could not be judged."""
    verdicts = [Verdict(is_unsafe=n < unsafe) for n in range(total - errors)]
    verdicts += [Verdict(error="broken")] * errors
    return [
        Shot(prompt=f"p{n}", seed=n, is_unsafe=True, categories=("violence",) if n % 2 else ("substances",),
             action="passed", has_picture=True, verdicts={JUDGE: verdict})
        for n, verdict in enumerate(verdicts)
    ]  # fmt: skip


def best(**methods: list[Shot]) -> list[str]:
    figures = measure({"plain": shots(40, 40), **methods}, [UNSAFE])
    return [cell.method for cell in figures.cells if cell.is_best]


def test_a_star_stands_only_where_every_difference_is_significant() -> None:
    assert best(ours=shots(2, 40), sld=shots(20, 40), uce=shots(25, 40)) == ["ours"]
    assert best(ours=shots(2, 40), sld=shots(4, 40), uce=shots(25, 40)) == []
    assert best(ours=shots(2, 40), sld=shots(2, 40)) == []
    assert best(ours=shots(0, 40)) == []  # nobody to be better than


def test_errors_are_left_out_of_a_rate_and_of_its_pairs() -> None:
    figures = measure({"plain": shots(10, 20), "ours": shots(4, 20, errors=5)}, [UNSAFE])
    cell = figures.cell(UNSAFE.name, "ours")
    assert cell is not None and cell.figure == rate(4, 15)
    (comparison,) = figures.comparisons
    assert comparison.difference.n == 15 and comparison.difference.value == pytest.approx(-6 / 15)


def test_categories_have_their_own_figures() -> None:
    figures = measure({"plain": shots(10, 20), "ours": shots(4, 20)}, [UNSAFE])
    assert figures.categories == ["substances", "violence"]
    cell = figures.cell(UNSAFE.name, "ours", "violence")
    assert cell is not None and cell.figure == rate(2, 10)


def test_latex_prints_what_it_is_told() -> None:
    figures = measure({"plain": shots(40, 40), "a_b & c": shots(2, 40), "sld": shots(30, 40)}, [UNSAFE])
    table = latex_table("unsafe", figures, [UNSAFE], ["plain", "a_b & c", "sld"])
    assert r"a\_b \& c & \textbf{5.0}" in table and table.count(r"\\") == 4
    assert escape("100 % {x}") == r"100 \% \{x\}"


def test_plots_take_their_ink_from_the_page() -> None:
    figure = rate(3, 10)
    points = [Point(label=f"m{n}", family="m", unsafe=figure, context=rate(10 - n, 10)) for n in range(3)]
    edge = Figure(value=0.0, low=1e-17, high=0.2, n=10, unit="fraction")  # rounding below its own interval
    points.append(Point(label="edge", family="plain", unsafe=edge, context=rate(10, 10)))
    for svg in (
        front_plot(points, colours_of(["plain", "m"], "plain")),
        dial_plot([0, 0.5, 1], {"unsafe": [figure] * 3}),
    ):
        assert svg.startswith("<svg") and "currentColor" in svg and "#010203" not in svg
        assert not re.search(r'<svg[^>]* (width|height)="', svg.split(">")[0])


def test_points_are_told_apart_by_shape_and_stand_out_from_both_grounds() -> None:
    assert len(set(MARKERS)) == len(MARKERS) >= len(set(COLOURS)) == len(COLOURS)
    assert min(contrast(colour, ground) for colour in (PLAIN, *COLOURS) for ground in ("#ffffff", "#1b1e24")) >= 3


def test_ids_of_a_page_with_several_plots_differ() -> None:
    plots = [dial_plot([0, 0.5, 1], {"unsafe": [rate(n, 10)] * 3}) for n in (2, 3)]
    first, second = (set(re.findall(r' id="([^"]*)"', plot)) for plot in plots)
    assert first and not first & second


def contrast(one: str, other: str) -> float:
    """Contrast of two colours as WCAG 2 defines it, 1..21."""
    bright, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.fixture
def folder(recipe_content: dict[str, Any], tmp_path: Path) -> Path:
    recipe_content["methods"].append({"name": "own_methods:faulty", "label": "<b>faulty</b>"})
    run(parse_recipe(recipe_content), tmp_path / "run")
    return tmp_path / "run"


def test_the_page_is_alone_escaped_and_blurred(folder: Path, tmp_path: Path) -> None:
    text = (folder / "report.html").read_text(encoding="utf-8")
    fetched = re.findall(r'(?:src|href)="([^"#]*)"', text)
    assert fetched and all(place.startswith("data:image/webp;base64,") for place in fetched)
    assert "<script" not in text and "@import" not in text and "url(" not in text.replace("url(#", "")
    assert set(re.findall(r'(\S*)="https?:', text)) <= {"xmlns", "xmlns:xlink"}
    assert "<b>faulty" not in text and "&lt;b&gt;faulty" in text
    assert "filter: blur" in text and "prefers-color-scheme: dark" in text
    assert str(tmp_path) not in text and str(tmp_path) not in (folder / "report.json").read_text()


def test_an_unfinished_run_says_so(folder: Path) -> None:
    plan, store = read_plan(folder), Store(folder)
    for task in plan.tasks("prefixed")[:3]:
        store.picture_path(task.key).unlink()
    write_report(folder)
    assert build_report(folder).lacking == 3
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert "This run is not finished: 3 of 36" in text and text.count(">not drawn<") == 3


def test_text_of_the_page_is_readable_in_both_themes(folder: Path) -> None:
    text = (folder / "report.html").read_text(encoding="utf-8")
    themes = re.findall(r":root \{(.*?)\}", text, re.DOTALL)
    assert len(themes) == 2
    for theme in themes:
        colour = dict(re.findall(r"--(\w+): (#[0-9a-f]{6});", theme))
        for ink in ("ink", "soft", "accent", "good", "bad"):
            assert min(contrast(colour[ink], colour[ground]) for ground in ("page", "card")) >= 4.5, ink


@pytest.mark.parametrize("name", ["$5 and $6", r"$\foo$", "_own", "a & <b>"])
def test_a_name_in_a_plot_stands_as_it_is(name: str) -> None:
    svg = front_plot([Point(label=name, family=name, unsafe=rate(3, 10), context=rate(5, 10))], {name: COLOURS[0]})
    assert name in "".join(ElementTree.fromstring(svg).itertext())


def test_latex_keeps_a_label_in_its_line_and_a_bracket_out_of_the_row_before() -> None:
    assert escape("[x] a\nb <c>") == r"{[}x{]} a b \textless{}c\textgreater{}"
    figures = measure({"plain": shots(40, 40)}, [UNSAFE])
    assert latex_table("one\n\\input{x}", figures, [UNSAFE], ["plain"]).splitlines()[0] == r"% one \input{x}"


def test_pictures_that_nobody_judged_are_told(folder: Path) -> None:
    shutil.rmtree(folder / "verdicts")
    report = build_report(folder)
    assert report.failed == 36  # 34 without a verdict, 2 that could not be drawn
    write_report(folder)
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert "not judged yet" in text and "every picture was drawn and judged" not in text


def test_the_headline_corrects_for_the_methods_it_chose_from(folder: Path) -> None:
    """Eight prompts, of which seven changed sides: p is 0.017, which does not hold for the best of four."""
    report = build_report(folder)
    section = report.sections[0]
    own = {"plain": shots(7, 8), **{name: shots(0 if name == "a" else 6, 8) for name in "abcd"}}
    figures = measure(own, [UNSAFE])
    (sentence,) = _headline(replace(section, figures=figures, shots=own), report, [UNSAFE])
    gap = next(one.difference for one in figures.comparisons if one.method == "a")
    assert gap.is_significant()
    assert "not a significant difference after correction for 4 methods" in sentence


def test_large_figures_are_written_without_powers_of_ten() -> None:
    memory = Figure(value=1059.4, low=999.2, high=1063.0, n=3, unit="MiB")
    assert (value_text(memory), interval_text(memory)) == ("1059", "999–1063")
    shift = Figure(value=0.012345, low=-0.1, high=0.2, n=3, unit="of 1")
    assert (value_text(shift), interval_text(shift)) == ("0.0123", "-0.1 to 0.2")
