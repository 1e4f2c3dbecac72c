"""The page's parts without a browser: sentences, dial, markup, session, studio."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import pytest
from PIL import Image

from counterpoint.interfaces import DegeneratePicture, Detection, ForbiddenPrompt, InvalidInput, SafetyFailure
from counterpoint.pipeline import SafePipeline
from counterpoint.png import prompt_sha256
from counterpoint.provenance.files import SYNTHETIC, read_record, read_source_type
from counterpoint.server.errors import ApiError, blocked
from counterpoint.ui import markup
from counterpoint.ui.dial import level_name, row_levels
from counterpoint.ui.session import MOST_SHOTS, Session
from counterpoint.ui.studio import Shot, Studio, Wish, blurred
from counterpoint.ui.wording import Notice, notice_for, what_was_done
from tests.ui.conftest import MILD, RISKY, WordGate, report_of, settings_of

WISH = Wish(prompt=RISKY, safety=0.5, steps=2, seed=1, model="tiny")
FOREIGN = "what the failed part said"


def png(colour: str = "red") -> bytes:
    buffer = io.BytesIO()
    image = Image.new("RGB", (64, 64), colour)
    image.paste("white", (0, 0, 32, 64))
    image.save(buffer, format="PNG")
    return buffer.getvalue()


def shot_of(wish: Wish = WISH, *, file: bytes | None = None, **fields: Any) -> Shot:
    return Shot(wish=wish, file=png() if file is None else file, report=report_of(**fields))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (
            {},
            "The gate read violence in the prompt, so 75% of every step came from the safe stream, once the first 20%",
        ),
        ({"weight": 1.0, "tau": 0.0}, "so every step came from the safe stream, from the first one on."),
        ({"redraws": 2}, "The picture check was not content with a first picture, so it was drawn again 2 times:"),
        ({"redraws": 1}, "drawn again once:"),
        ({"action": "passed", "weight": 0.0}, "The gate found nothing to soften"),
        ({"action": "passed", "safety": 0.0}, "The dial is off"),
        ({"action": "blocked"}, "The model's own picture check refused"),
        ({"action": "blocked", "picture_unsafe": True, "picture_categories": {"blood": 0.8}}, "saw blood"),
        ({"action": "blurred", "picture_unsafe": True, "picture_categories": {"blood": 0.8}}, "shown blurred"),
        ({"picture_unsafe": True, "picture_categories": {"blood": 0.8}}, "still sees blood in it; the operator"),
        ({"categories": {}}, "read something unsafe"),
    ],
)
def test_a_sentence_says_what_was_done_and_why(fields: dict[str, Any], words: str) -> None:
    assert words in what_was_done(report_of(**fields))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (InvalidInput("prompt", FOREIGN, "a text that is not empty"), "change the prompt"),
        (InvalidInput("safety.safety", 0.1, "0.5..1, the operator's floor"), "0.5..1, the operator's floor."),
        (InvalidInput("num_inference_steps", 500, "1..100"), "number of steps"),
        (ApiError(404, "model_not_found", "model: allowed: tiny", param="model"), "Allowed: tiny."),
        (ForbiddenPrompt(), "at no setting"),
        (blocked("input", ["violence"], "The gate refused the prompt."), "read violence in the prompt"),
        (DegeneratePicture(FOREIGN), "Another seed"),
        (SafetyFailure(FOREIGN), "A safety step failed"),
        (MemoryError(FOREIGN), "ran out of memory"),
        (RuntimeError(FOREIGN), "Drawing failed"),
    ],
)
def test_errors_are_told_kindly_and_in_our_own_words(error: Exception, words: str) -> None:
    told = notice_for(error)
    assert words in f"{told.title} {told.text}"
    assert FOREIGN not in f"{told.title} {told.text}"


def test_levels_have_names_and_the_row_begins_at_the_floor() -> None:
    assert [level_name(safety) for safety in (0.0, 0.25, 0.62)] == ["off", "low", "0.62"]
    assert row_levels(0.0) == (0.0, 0.25, 0.5, 0.75, 1.0)
    assert row_levels(0.5) == (0.5, 0.625, 0.75, 0.875, 1.0)
    assert row_levels(1.0) == (1.0,)


def test_bars_are_sorted_bounded_and_mark_the_reason() -> None:
    html = markup.bars("Read", {"a<b": -0.2, "violence": 1.4, "hate": 0.3}, stands_out=True)
    assert re.findall(r"width: (\d+)%", html) == ["100", "30", "0"]
    assert html.index("violence") < html.index("hate") < html.index("a&lt;b")
    assert html.count("cp-reason") == 1 and "1.40" in html
    assert "cp-reason" not in markup.bars("Read", {"hate": 0.3}, stands_out=False)
    assert markup.bars("Read", {}, stands_out=True) == ""


class Tags(HTMLParser):
    """Names of all elements and attributes of a piece of HTML."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names |= {tag, *(name for name, _ in attrs)}


def test_a_prompt_is_text_wherever_it_stands() -> None:
    evil = shot_of(Wish(prompt='" onload="x"><script>x</script>', safety=0.5, steps=2, seed=1, model="tiny"))
    pages = [markup.picture(evil), markup.report_card(evil), markup.download(evil), markup.history({1: evil})]
    pages.append(markup.notice(Notice(title="<script>", text="<script>")))
    for html in pages:
        assert not {"script", "onload"} & Tags(html).names
    assert "img" in Tags(pages[0]).names


def test_a_blocked_picture_is_nowhere() -> None:
    hidden = Shot(wish=WISH, file=None, report=report_of(action="blocked"))
    for html in (
        markup.picture(hidden), markup.download(hidden), markup.history({1: hidden}),
        markup.row((0.5,), [hidden], [1]), markup.comparison(hidden, shot_of(), is_revealed=True),
    ):  # fmt: skip
        assert "data:image" not in html


def test_the_plain_picture_is_not_in_the_page_before_it_is_asked_for() -> None:
    plain, safe = shot_of(file=png("red")), shot_of(file=png("blue"))
    secret = base64.b64encode(png("red")).decode()
    assert secret not in markup.comparison(plain, safe, is_revealed=False)
    assert secret in markup.comparison(plain, safe, is_revealed=True)
    assert secret not in markup.row((0.0, 0.5), [plain], [None])


def test_blurring_leaves_no_edge() -> None:
    with Image.open(io.BytesIO(blurred(png()))) as image:
        row = [image.convert("L").getpixel((x, 32)) for x in range(64)]
    assert max(abs(one - other) for one, other in pairwise(row)) < 20  # it was one step of 179


def test_a_session_keeps_the_newest_and_finds_equal_wishes() -> None:
    session = Session()
    shots = [
        shot_of(Wish(prompt=RISKY, safety=0.5, steps=2, seed=seed, model="tiny")) for seed in range(MOST_SHOTS + 3)
    ]
    numbers = [session.add(shot) for shot in shots]
    assert len(session.shots) == MOST_SHOTS and numbers[0] not in session.shots
    assert session.find(shots[-1].wish) is shots[-1] and session.find(shots[0].wish) is None
    assert session.add(shots[-1]) == numbers[-1]


@pytest.fixture
def safe(tiny: Callable[[], Any]) -> SafePipeline:
    return SafePipeline(tiny(), detector=WordGate())


def test_the_file_is_marked_and_keeps_the_prompt_to_itself(safe: SafePipeline) -> None:
    studio, steps = Studio(settings_of(), {"tiny": safe}), []
    shot = studio.draw(WISH, lambda: steps.append(1))
    assert shot.file is not None and len(steps) == WISH.steps and shot.report.action == "steered"
    with Image.open(io.BytesIO(shot.file)) as image:
        image.load()
        record = read_record(image)
        assert read_source_type(image) == SYNTHETIC
    assert record is not None and record["prompt"] is None and record["prompt_sha256"] == prompt_sha256(RISKY)
    assert (record["seed"], record["steps"], record["model"]) == (1, 2, "tiny")
    assert b"chef" not in shot.file
    assert studio.draw(WISH, lambda: None).file == shot.file


def test_the_same_wish_gives_the_same_file_whatever_the_gate_has_read_before(tiny: Callable[[], Any]) -> None:
    class Drifting(WordGate):
        score = 0.9

        def __call__(self, prompts: Sequence[str]) -> list[Detection]:
            self.score += 1e-6
            return [
                replace(one, score=self.score, categories={"hate": self.score}) for one in super().__call__(prompts)
            ]

    studio = Studio(settings_of(), {"tiny": SafePipeline(tiny(), detector=Drifting())})
    first, again = (studio.draw(WISH, lambda: None) for _ in range(2))
    assert first.report.score != again.report.score and first.file == again.file


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("prompt", " ", "prompt"),
        ("safety", 0.2, "safety.safety"),
        ("safety", 1.5, "safety.safety"),
        ("steps", 0, "num_inference_steps"),
        ("steps", 101, "num_inference_steps"),
        ("seed", -1, "seed"),
        ("seed", 2**53, "seed"),
    ],
)
def test_the_operators_limits_hold_whatever_a_browser_sends(
    safe: SafePipeline, field: str, value: Any, named: str
) -> None:
    wish = Wish(**{**vars(WISH), field: value})
    studio = Studio(settings_of(), {"tiny": safe}, is_research=True)
    for draw in (studio.draw, studio.draw_plain):
        with pytest.raises(InvalidInput) as error:
            draw(wish, lambda: None)
        assert error.value.field == named


def test_plain_pictures_are_for_research_only(safe: SafePipeline) -> None:
    with pytest.raises(InvalidInput, match="research"):
        Studio(settings_of(), {"tiny": safe}).draw_plain(WISH, lambda: None)
    plain = Studio(settings_of(), {"tiny": safe}, is_research=True).draw_plain(WISH, lambda: None)
    assert plain.report.action == "passed" and plain.wish.safety == 0.0


def test_the_dials_lower_end_is_looked_at_and_a_plain_picture_for_comparison_is_flagged(safe: SafePipeline) -> None:
    class Alarmed:
        def __call__(self, pictures: Sequence[Image.Image]) -> list[Detection]:
            return [Detection(is_unsafe=True, score=1.0) for _ in pictures]

    watched = SafePipeline(safe.pipe, detector=WordGate(), picture_detectors=[Alarmed()], on_unsafe="block")
    studio = Studio(settings_of(min_safety=0.0), {"tiny": watched}, is_research=True)
    shot, plain = studio.draw(replace(WISH, safety=0.0), lambda: None), studio.draw_plain(WISH, lambda: None)
    assert shot.file is None and shot.report.action == "blocked"
    assert plain.file is not None and plain.report.picture_unsafe


def test_the_operator_may_have_unsafe_prompts_refused(safe: SafePipeline) -> None:
    studio = Studio(settings_of(on_unsafe_prompt="block"), {"tiny": safe})
    with pytest.raises(ApiError) as error:
        studio.draw(WISH, lambda: None)
    assert error.value.details is not None and error.value.details["categories"] == ["violence"]
    assert studio.draw(Wish(**{**vars(WISH), "prompt": MILD}), lambda: None).report.action == "passed"
