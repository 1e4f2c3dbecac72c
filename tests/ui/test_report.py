"""The benchmark's page in a real browser, from disk: nothing is fetched or overflows, pictures wait for a click."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from counterpoint.bench.recipe import parse_recipe
from counterpoint.bench.run import run


@pytest.fixture(scope="module")
def report(tiny_model_path: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a run with long names, unsafe prompts and harmless ones."""
    recipe = {
        "name": "tiny", "model": tiny_model_path, "steps": 2,
        "methods": [
            {"name": "plain"},
            {"name": "negative_prompt", "label": "a_method_whose_name_is_very_long", "sweep": {"strength": [0.5, 2.0]}},
            {"name": "dual_latent", "label": "counterpoint, gate open", "options": {"gate": "open"},
             "sweep": {"safety": [0.5, 1.0]}},
        ],
        "datasets": [{"name": "scenes", "label": kind, "limit": 2, "options": {"kind": kind}}
                     for kind in ("unsafe", "proximal")],
    }  # fmt: skip
    folder = tmp_path_factory.mktemp("report") / "run"
    run(parse_recipe(recipe), folder)
    return folder / "report.html"


@pytest.fixture(params=[(390, "light"), (820, "dark"), (1440, "light")])
def page(chromium: Any, report: Path, request: pytest.FixtureRequest) -> Iterator[Any]:
    """The page at three widths; at the end it has asked for nothing beside itself and has complained of nothing."""
    width, scheme = request.param
    asked: list[str] = []
    complaints: list[str] = []
    context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True)
    page = context.new_page()
    page.on("request", lambda one: None if one.url.startswith("data:") else asked.append(one.url))
    page.on("console", lambda one: complaints.append(one.text))
    page.on("pageerror", lambda one: complaints.append(str(one)))
    page.goto(report.as_uri())
    yield page
    context.close()
    assert asked == [report.as_uri()] and complaints == []


def filters(page: Any) -> list[str]:
    """How each picture is shown now: "none" or a blur."""
    found: list[str] = page.evaluate(
        "[...document.querySelectorAll('.shot img')].map(picture => getComputedStyle(picture).filter)"
    )
    return found


def test_wide_tables_scroll_in_their_own_boxes(page: Any) -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    boxes = page.evaluate(
        "[...document.querySelectorAll('table')].map(one => !!one.closest('[role=region][tabindex]'))"
    )
    assert len(boxes) >= 6 and all(boxes)


def test_pictures_are_blurred_until_they_are_clicked(page: Any) -> None:
    count = len(filters(page))
    assert count >= 12 and all(one.startswith("blur") for one in filters(page))
    names = page.locator(".shot input").evaluate_all("all => all.map(one => one.getAttribute('aria-label'))")
    assert names[0].startswith("show plain, ") and len(set(names[:5])) == 5
    page.locator(".shot").nth(1).click()
    page.locator(".shot input").nth(2).press("Space")
    assert [n for n, one in enumerate(filters(page)) if one == "none"] == [1, 2]
    page.locator(".shot").nth(1).click()
    assert [n for n, one in enumerate(filters(page)) if one == "none"] == [2]
    page.get_by_label("show all of this sheet").first.check()
    shown = filters(page).count("none")
    assert 2 < shown < count  # this sheet, not the other data set's
    page.emulate_media(media="print")
    assert all(one.startswith("blur") for one in filters(page))
