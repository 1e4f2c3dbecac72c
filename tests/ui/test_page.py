"""The page in a real browser: draw, move the dial, row, history, comparison, refusals, errors, small screens."""

from __future__ import annotations

import io
import logging
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from counterpoint.png import prompt_sha256, read_metadata
from counterpoint.server.logs import JsonLines
from tests.ui.conftest import MILD, RISKY, running

SECONDS = 20_000
"""Milliseconds that anything on the page may take here."""


@pytest.fixture(scope="module")
def address(tiny: Callable[[], Any]) -> Iterator[str]:
    with running(tiny(), is_research=True) as one:
        yield one


@pytest.fixture
def visit(chromium: Any) -> Iterator[Callable[..., Any]]:
    """Open the page in a context of its own; at the end nothing was asked of anybody else, or in vain."""
    contexts = []
    elsewhere: list[str] = []
    refused: list[str] = []

    def open_page(address: str, *, width: int = 1280, height: int = 900, **options: Any) -> Any:
        context = chromium.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(SECONDS)
        page.on(
            "request",
            lambda request: None if request.url.startswith((address, "data:")) else elsewhere.append(request.url),
        )
        page.on("response", lambda answer: refused.append(answer.url) if answer.status >= 400 else None)
        page.goto(address)
        page.wait_for_selector("#draw")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert elsewhere == [] and refused == []


def draw(page: Any, prompt: str) -> str:
    """Have a picture drawn; returns it as the page shows it."""
    page.fill("#prompt textarea", prompt)
    page.click("#draw")
    return shown(page)


def fill_mounted(page: Any, place: str, value: str) -> None:
    """Fill a field until it keeps the value: what an accordion mounts takes its first value a moment after."""
    for _ in range(20):
        page.fill(place, value)
        page.wait_for_timeout(250)
        if page.input_value(place) == value:
            return
    raise AssertionError(f"{place} does not keep {value}")


def shown(page: Any) -> str:
    """The picture on the page, when it is there."""
    return str(page.locator("#picture img").get_attribute("src"))


def other_than(page: Any, before: str) -> str:
    """The picture on the page, when it is another one."""
    page.wait_for_function(
        "before => { const image = document.querySelector('#picture img'); return image && image.src !== before }",
        arg=before,
    )
    return shown(page)


def text(page: Any, place: str) -> str:
    return str(page.locator(place).inner_text())


def test_draw_move_the_dial_and_take_the_picture_away(address: str, visit: Callable[..., Any], tmp_path: Path) -> None:
    page = visit(address)
    medium = draw(page, RISKY)
    assert "Steered" in text(page, "#card") and "violence" in text(page, "#card")
    assert re.search(r"violence\s+0\.90", text(page, "#readings"))

    page.click("#dial button[data-at='1']")
    most = other_than(page, medium)
    assert "Safety max" in text(page, "#card")
    page.focus("#cp-dial-range")  # by keyboard: one step back, and the picture follows
    page.keyboard.press("ArrowLeft")
    other_than(page, most)
    assert "Safety 0.95" in text(page, "#card")

    with page.expect_download() as download:
        page.click("#download a")
    download.value.save_as(tmp_path / "picture.png")
    record = read_metadata(tmp_path / "picture.png")
    assert record.prompt_sha256 == prompt_sha256(RISKY) and record.prompt is None
    assert record.report is not None and record.report["safety"] == 0.95

    page.locator("#history .cp-tile").last.click()  # the oldest: the first picture comes back, with its settings
    page.wait_for_function("before => document.querySelector('#picture img').src === before", arg=medium)
    assert "medium" in text(page, "#dial output")


def test_the_dial_stops_at_the_operators_floor(address: str, visit: Callable[..., Any]) -> None:
    page = visit(address)
    assert page.locator("#dial button[data-at='0']").is_disabled()
    assert "The operator allows low and more." in text(page, "#dial")
    page.focus("#cp-dial-range")
    page.keyboard.press("Home")
    page.wait_for_function("document.querySelector('#dial output').innerText.includes('low')")
    assert page.locator("#cp-dial-range").input_value() == "0.25"
    assert page.locator("#picture img").count() == 0  # before the first picture, moving the dial draws nothing


def test_the_row_of_the_dial_has_five_pictures(address: str, visit: Callable[..., Any]) -> None:
    page = visit(address)
    before = draw(page, RISKY)
    page.click("#row-button")
    page.wait_for_function("document.querySelectorAll('#row button.cp-panel img').length === 5")
    pictures = page.eval_on_selector_all("#row img", "images => images.map(image => image.src)")
    assert len(set(pictures)) >= 4  # at high and max a picture may be the same
    assert "low" in text(page, "#row") and "max" in text(page, "#row")
    page.locator("#row button.cp-panel").last.click()
    assert other_than(page, before) == pictures[-1]


def test_a_harmless_prompt_is_left_alone(address: str, visit: Callable[..., Any]) -> None:
    page = visit(address)
    draw(page, MILD)
    assert "The gate found nothing to soften" in text(page, "#card")
    assert brightness(page) > 220  # browsers here ask for light unless told otherwise
    page.click("#compare-button")
    page.wait_for_selector("#comparison .cp-notice")
    assert "nothing to compare" in text(page, "#comparison")


def test_the_plain_picture_is_blurred_until_asked_for(address: str, visit: Callable[..., Any]) -> None:
    page = visit(address)
    safe = draw(page, RISKY)
    page.click("#compare-button")
    over = page.locator("#comparison img.cp-over")
    hidden = over.get_attribute("src")
    assert page.locator("#comparison img").first.get_attribute("src") == safe
    page.click("#comparison .cp-reveal")
    page.wait_for_function("before => document.querySelector('#comparison img.cp-over').src !== before", arg=hidden)
    assert page.locator("#comparison .cp-reveal").count() == 0
    page.locator("#comparison input").fill("20")
    assert "20%" in str(page.locator(".cp-compare").get_attribute("style"))


def test_wrong_fields_and_refusals_are_messages_and_no_picture(
    tiny: Callable[[], Any], visit: Callable[..., Any]
) -> None:
    with running(tiny(), on_unsafe_prompt="block") as address:
        page = visit(address)
        draw(page, MILD)
        page.fill("#prompt textarea", RISKY)
        page.click("#draw")
        page.wait_for_selector("#picture [role=alert]")
        assert "This prompt was refused." in text(page, "#picture") and "violence" in text(page, "#picture")
        assert page.locator("#picture img, #card p, #download a").count() == 0
        assert page.locator("#compare-button").count() == 0  # this is not research mode
        page.fill("#prompt textarea", "")
        page.click("#draw")
        page.wait_for_function("document.querySelector('#picture').innerText.includes('change the prompt')")


def test_a_failure_shows_a_message_and_never_the_original(
    tiny: Callable[[], Any], visit: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe, log = tiny(), io.StringIO()
    handler = logging.StreamHandler(log)
    handler.setFormatter(JsonLines())
    logging.getLogger().addHandler(handler)
    try:
        with running(pipe) as address:
            page = visit(address)
            draw(page, RISKY)

            def fail(*given: Any, **named: Any) -> Any:
                raise RuntimeError(f"a model's own words about {RISKY}")

            monkeypatch.setattr(pipe.vae, "decode", fail)
            page.click("#dial button[data-at='1']")
            page.wait_for_selector("#picture [role=alert]")
            assert "Drawing failed, so nothing is shown." in text(page, "#picture")
            assert page.locator("#picture img, #row img, #comparison img, #download a").count() == 0
    finally:
        logging.getLogger().removeHandler(handler)
    assert '"draw_failed"' in log.getvalue() and "knife" not in log.getvalue()


def brightness(page: Any) -> float:
    """Mean of the page's first pixels, 0..255."""
    with Image.open(io.BytesIO(page.screenshot(clip={"x": 0, "y": 0, "width": 2, "height": 2}))) as image:
        return float(image.convert("L").getpixel((0, 0)))


def test_it_fits_a_phone_in_the_dark(address: str, visit: Callable[..., Any]) -> None:
    page = visit(address, width=360, height=740, color_scheme="dark")
    draw(page, RISKY)
    page.click("#row-button")
    page.wait_for_selector("#row button.cp-panel img")
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert brightness(page) < 40
    assert page.locator("#picture img").evaluate("image => image.getBoundingClientRect().width") > 300


@pytest.fixture
def slow(tiny: Callable[[], Any]) -> Any:
    """A pipeline that waits at each step while `going` is set; `steps` counts them."""
    pipe, plain = tiny(), None
    pipe.going, pipe.steps, plain = threading.Event(), [], pipe.scheduler.step

    def step(*given: Any, **named: Any) -> Any:
        pipe.steps.append(1)
        time.sleep(0.3 if pipe.going.is_set() else 0.0)
        return plain(*given, **named)

    pipe.scheduler.step = step
    return pipe


def test_a_visitor_stops_their_own_picture_and_no_other(slow: Any, visit: Callable[..., Any]) -> None:
    with running(slow, steps=60) as address:
        first, second = visit(address), visit(address)
        first.wait_for_selector("#stop", state="hidden")  # the page gets there a moment later
        slow.going.set()
        first.fill("#prompt textarea", MILD)
        first.keyboard.press("Enter")  # in the prompt: draws
        first.wait_for_selector("#stop", state="visible")
        first.wait_for_function("document.querySelector('#picture').innerText.includes('/60 steps')")
        second.evaluate("document.querySelector('#stop').click()")
        time.sleep(1.0)
        assert first.is_visible("#stop") and first.locator("#picture [role=alert]").count() == 0
        first.click("#stop")
        first.wait_for_selector("#picture [role=alert]")
        assert "Stopped." in text(first, "#picture") and len(slow.steps) < 40
        assert first.locator("#picture img, #history .cp-tile").count() == 0
        slow.going.clear()
        draw(first, MILD)  # and all goes on
        first.wait_for_selector("#stop", state="hidden")  # the page gets there a moment later


def test_a_closed_tab_stops_its_picture(slow: Any, visit: Callable[..., Any]) -> None:
    with running(slow, steps=60) as address:
        first, second = visit(address), visit(address)
        slow.going.set()
        first.fill("#prompt textarea", MILD)
        first.click("#draw")
        first.wait_for_function("document.querySelector('#picture').innerText.includes('/60 steps')")
        first.context.close()
        second.fill("#prompt textarea", RISKY)
        second.click("#draw")  # one at a time: it waits for the first one to end
        second.wait_for_function("document.querySelector('#picture').innerText.includes('/60 steps')")
        assert len(slow.steps) < 50
        slow.going.clear()
        shown(second)


def test_what_a_visitor_drew_is_no_other_visitors(address: str, visit: Callable[..., Any]) -> None:
    first, second = visit(address), visit(address)
    own = "a chef with a knife in a garden"  # no example: it stands nowhere else
    drawn = draw(first, own)
    other = draw(second, MILD)
    assert drawn != other
    second.evaluate("document.querySelector('#history .cp-tile').dataset.shot = 2")  # no picture of this session
    second.click("#history .cp-tile")
    first.click("#row-button")
    first.wait_for_selector("#row button.cp-panel img")
    assert shown(second) == other and second.locator("#history .cp-tile").count() == 1
    assert own in first.content() and own not in second.content()


def test_a_wrong_seed_is_told_in_the_pictures_place(address: str, visit: Callable[..., Any]) -> None:
    page = visit(address)
    page.click("#settings button")
    fill_mounted(page, "#seed input", "-1")
    page.fill("#prompt textarea", MILD)
    page.click("#draw")
    page.wait_for_selector("#picture [role=alert]")
    assert "Please change the seed." in text(page, "#picture") and "Input" not in text(page, "#picture")
    assert page.locator(".toast-body").count() == 0


@pytest.mark.parametrize("width", [360, 390, 820, 1280])
def test_the_buttons_below_the_picture_do_not_overlap(address: str, visit: Callable[..., Any], width: int) -> None:
    page = visit(address, width=width)
    draw(page, RISKY)
    page.wait_for_selector("#download a")
    boxes = [page.locator(place).bounding_box() for place in ("#row-button", "#compare-button", "#download a")]
    for one, other in ((0, 1), (1, 2), (0, 2)):
        a, b = boxes[one], boxes[other]
        beside = a["x"] + a["width"] <= b["x"] + 1 or a["y"] + a["height"] <= b["y"] + 1
        assert beside, (width, boxes)
    wide = "(place) => { const one = document.querySelector(place); return one.scrollWidth <= one.clientWidth + 1 }"
    assert all(page.evaluate(wide, place) for place in ("#row-button", "#compare-button", "#download a"))
    assert page.evaluate("document.documentElement.scrollWidth") == width
