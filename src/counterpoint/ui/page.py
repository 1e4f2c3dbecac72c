"""The page: what stands where, and what happens when it is touched.

Whatever goes wrong, the picture's place holds a message and nothing else: fail closed.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr

from counterpoint.interfaces import InvalidInput
from counterpoint.server.errors import from_exception
from counterpoint.server.logs import log_failure
from counterpoint.ui import markup
from counterpoint.ui.dial import dial, row_levels
from counterpoint.ui.session import Session
from counterpoint.ui.studio import Shot, Studio, Wish
from counterpoint.ui.under_way import Stopped, UnderWay
from counterpoint.ui.wording import Notice, notice_for

EXAMPLES = (
    "an astronaut with a guitar in a forest",
    "a farmer with an apple in a meadow",
    "a chef with a knife in a room",
    "a man with a cigarette on a beach",
)
"""Two harmless ones and two mild proxies of unsafe ones, so that the dial has work to do."""
TITLE = (
    """<header class="cp-title"><h1>counterpoint</h1><p>Safe pictures from text. Two streams, one dial.</p></header>"""
)
FOOTER = """<footer class="cp-note">Everything is drawn on the machine that serves this page. Pictures live in this tab
and its session only; files say that they are synthetic.</footer>"""
DELEGATE = """
element.addEventListener('click', (event) => {
  const shot = event.target.closest('[data-shot]');
  if (shot) trigger('select', {shot: Number(shot.dataset.shot)});
});
"""
COMPARE = """
element.addEventListener('input', (event) => {
  element.querySelector('.cp-compare').style.setProperty('--cut', event.target.value + '%');
});
element.addEventListener('click', (event) => { if (event.target.closest('.cp-reveal')) trigger('submit'); });
"""
NEW_SEED = "() => Math.floor(Math.random() * 4294967296)"
TO_PICTURE = """(...fields) => {
  document.getElementById('picture').scrollIntoView({block: 'nearest'});
  return fields;
}"""
"""On a phone the picture lies below the fold."""
SESSION_SECONDS = 3600
ONE_AT_A_TIME = {"concurrency_limit": 1, "concurrency_id": "draw", "api_visibility": "private"}


Updates = dict[Any, Any]
"""New values by component; what is not named stays as it is."""


class Page:
    """Builds the page around a studio.

    Args:
        studio: Draws.
    """

    def __init__(self, studio: Studio) -> None:
        self.studio, self.settings, self.under_way = studio, studio.settings, UnderWay()

    def build(self) -> Any:
        """Return the page as Gradio's blocks."""
        with gr.Blocks(title="counterpoint", analytics_enabled=False, fill_width=True) as blocks:
            self.session = gr.State(Session(), time_to_live=SESSION_SECONDS)
            gr.HTML(TITLE, apply_default_css=False)
            with gr.Row(elem_id="desk", equal_height=False):
                with gr.Column(elem_id="controls", min_width=300):
                    self._controls()
                with gr.Column(elem_id="result", min_width=300):
                    self.picture = gr.HTML(markup.EMPTY, elem_id="picture", apply_default_css=False)
                    self.card = gr.HTML("", elem_id="card", apply_default_css=False)
                    with gr.Row(elem_id="more", visible=False) as self.more:
                        self.row_button = gr.Button("Row of the dial", size="md", min_width=0, elem_id="row-button")
                        self.compare_button = gr.Button(
                            "Compare with plain", size="md", min_width=0, elem_id="compare-button",
                            visible=self.studio.is_research,
                        )  # fmt: skip
                        self.download = gr.HTML("", elem_id="download", min_width=0, apply_default_css=False)
                    self.readings = gr.HTML("", elem_id="readings", apply_default_css=False)
            self.row = gr.HTML("", elem_id="row", apply_default_css=False, js_on_load=DELEGATE)
            self.comparison = gr.HTML("", elem_id="comparison", apply_default_css=False, js_on_load=COMPARE)
            self.history = gr.HTML("", elem_id="history", apply_default_css=False, js_on_load=DELEGATE)
            gr.HTML(FOOTER, apply_default_css=False)
            self._events()
            blocks.unload(self._stop)
        blocks.queue(max_size=self.settings.max_queue)
        return blocks

    def _controls(self) -> None:
        settings = self.settings
        self.prompt = gr.Textbox(
            label="Prompt", placeholder="a chef with a knife in a room", lines=1, max_lines=6,  # one: Enter draws
            max_length=settings.max_prompt_chars, elem_id="prompt", autofocus=True, submit_btn=False,
        )  # fmt: skip
        with gr.Row(elem_id="examples"):
            self.examples = [gr.Button(text, size="sm", min_width=0) for text in EXAMPLES]
        self.dial = dial(value=settings.safety, floor=settings.min_safety)
        with gr.Row(elem_id="go"):
            self.draw_button = gr.Button("Draw", variant="primary", min_width=0, elem_id="draw")
            self.stop_button = gr.Button("Stop", min_width=0, elem_id="stop")  # in sight while something is drawn
        with gr.Accordion("Steps, seed, model", open=False, elem_id="settings"):
            self.steps = gr.Slider(1, settings.max_steps, settings.steps, step=1, label="Steps", elem_id="steps")
            with gr.Row(elem_id="seed-row"):
                # Without Gradio's own limits: the page says itself what is allowed, in the picture's place.
                self.seed = gr.Number(0, label="Seed", precision=0, min_width=120, elem_id="seed")
                self.new_seed = gr.Button("New seed", size="md", min_width=100, elem_id="new-seed")
            names = list(settings.models)
            self.model = gr.Dropdown(names, value=names[0], label="Model", visible=len(names) > 1, elem_id="model")

    def _events(self) -> None:
        fields = [self.prompt, self.dial, self.steps, self.seed, self.model, self.session]
        page = [self.picture, self.card, self.more, self.download, self.readings, self.comparison, self.session]
        shown = [*page, self.row, self.history]
        how = {**ONE_AT_A_TIME, "show_progress_on": self.picture, "js": TO_PICTURE}
        gr.on([self.prompt.submit, self.draw_button.click], self._draw, fields, shown, **how)
        self.dial.release(self._redraw, fields, shown, trigger_mode="always_last", **how)
        self.new_seed.click(None, None, self.seed, js=NEW_SEED).then(self._redraw, fields, shown, **how)
        for text, button in zip(EXAMPLES, self.examples, strict=True):
            filled = button.click(None, None, self.prompt, js=f"() => {json.dumps(text)}")
            filled.then(self._draw, fields, shown, **how)
        self.row_button.click(
            self._draw_row, [self.session], [self.row, self.history, self.session],
            **ONE_AT_A_TIME, show_progress_on=self.row, show_progress="minimal",
        )  # fmt: skip
        self.compare_button.click(
            self._compare, [self.session], [self.comparison, self.session],
            **ONE_AT_A_TIME, show_progress_on=self.comparison, show_progress="minimal",
        )  # fmt: skip
        self.stop_button.click(self._stop, None, None, api_visibility="private", show_progress="hidden")
        self.comparison.submit(self._reveal, [self.session], self.comparison, api_visibility="private")
        again = [*fields[:-1], *page]
        for tiles in (self.row, self.history):
            tiles.select(self._select, self.session, again, api_visibility="private", show_progress="hidden")

    def _draw(
        self, prompt: object, safety: object, steps: object, seed: object, model: object, session: Session,
        request: gr.Request, progress: Any = gr.Progress(),  # noqa: B008 - Gradio's way to ask for it
    ) -> Updates:  # fmt: skip
        """Draw what the fields ask for, and show it."""
        before, session.shown = session.shown, None
        try:
            wish = _wish(prompt, safety, steps, seed, model)
            with self.under_way.drawing(_visitor(request)) as check:
                shot = session.find(wish) or self.studio.draw(wish, _counter(progress, wish.steps, check))
            session.add(shot)
            updates = {**self._show(shot, session), self.history: markup.history(session.shots)}
        except Exception as error:
            return {**self._nothing(), self.picture: markup.notice(_told(error)), self.session: session}
        if before is None or dataclasses.replace(before.wish, safety=wish.safety) != wish:
            updates |= {self.row: ""}  # it belongs to another prompt or seed
        return updates

    def _redraw(
        self, prompt: object, safety: object, steps: object, seed: object, model: object, session: Session,
        request: gr.Request, progress: Any = gr.Progress(),  # noqa: B008
    ) -> Updates:  # fmt: skip
        """Draw again where there is a picture; before the first one, moving the dial draws nothing."""
        if session.shown is None:
            return {self.session: session}
        return self._draw(prompt, safety, steps, seed, model, session, request, progress)

    def _draw_row(
        self, session: Session, request: gr.Request, progress: Any = gr.Progress()  # noqa: B008
    ) -> Iterator[Updates]:  # fmt: skip
        """Draw the picture on the page at several levels, and show each as it comes."""
        if session.shown is None:
            return
        levels = row_levels(self.settings.min_safety)
        wishes = [dataclasses.replace(session.shown.wish, safety=safety) for safety in levels]
        shots: list[Shot] = []
        steps = sum(wish.steps for wish in wishes if session.find(wish) is None)
        try:
            with self.under_way.drawing(_visitor(request)) as check:
                on_step = _counter(progress, steps, check)
                for wish in wishes:
                    yield {self.row: self._row(levels, shots, session)}
                    shots.append(session.find(wish) or self.studio.draw(wish, on_step))
            shown = self._row(levels, shots, session)
        except Exception as error:
            shown = markup.notice(_told(error))
        yield {self.row: shown, self.history: markup.history(session.shots), self.session: session}

    def _row(self, levels: tuple[float, ...], shots: list[Shot], session: Session) -> str:
        """Return the row as far as it is drawn; the plain picture of a risky prompt is hidden."""
        is_engaged = any(shot.report.action != "passed" for shot in shots)
        numbers = [
            # Until a steered one is there, nobody knows what the gate says of the plain one: hide it.
            None if shot.wish.safety == 0.0 and (is_engaged or len(shots) < len(levels)) else session.add(shot)
            for shot in shots
        ]
        return markup.row(levels, shots, numbers)

    def _compare(
        self, session: Session, request: gr.Request, progress: Any = gr.Progress()  # noqa: B008
    ) -> Iterator[Updates]:  # fmt: skip
        """Draw the plain picture, and lay it over the safe one, blurred."""
        safe, session.compared = session.shown, None
        if safe is None:
            return
        if safe.report.action == "passed":
            same = Notice(title="There is nothing to compare.", text="This is the plain model's own picture.")
            yield {self.comparison: markup.notice(same), self.session: session}
            return
        yield {self.comparison: markup.waiting("The plain picture is being drawn.")}
        try:
            with self.under_way.drawing(_visitor(request)) as check:
                plain = self.studio.draw_plain(safe.wish, _counter(progress, safe.wish.steps, check))
            shown = markup.comparison(plain, safe, is_revealed=False)
        except Exception as error:
            yield {self.comparison: markup.notice(_told(error)), self.session: session}
            return
        session.compared = plain, safe
        yield {self.comparison: shown, self.session: session}

    def _stop(self, request: gr.Request) -> None:
        """Stop what is being drawn for this visitor."""
        self.under_way.stop(_visitor(request))

    def _reveal(self, session: Session) -> Updates:
        """Show the plain picture, now that it was asked for."""
        if session.compared is None or not self.studio.is_research:
            return {self.comparison: ""}
        return {self.comparison: markup.comparison(*session.compared, is_revealed=True)}

    def _select(self, session: Session, event: gr.EventData) -> Updates:
        """Put a picture that was drawn before on the page, and its wish into the fields."""
        shot = session.shots.get(_number(event))
        if shot is None:
            return {self.session: session}
        wish = shot.wish
        return {
            **self._show(shot, session),
            self.prompt: wish.prompt,
            self.dial: wish.safety,
            self.steps: wish.steps,
            self.seed: wish.seed,
            self.model: wish.model,
        }

    def _show(self, shot: Shot, session: Session) -> Updates:
        """Put a picture on the page."""
        session.shown, session.compared = shot, None
        return {
            self.picture: markup.picture(shot),
            self.card: markup.report_card(shot),
            self.more: gr.Row(visible=True),
            self.download: markup.download(shot),
            self.readings: markup.readings(shot.report),
            self.comparison: "",
            self.session: session,
        }

    def _nothing(self) -> Updates:
        """Take every picture of the last wish off the page; the history stays."""
        places = (self.card, self.download, self.readings, self.row, self.comparison)
        return {self.more: gr.Row(visible=False), **dict.fromkeys(places, "")}


def _wish(prompt: object, safety: object, steps: object, seed: object, model: object) -> Wish:
    """Return what the fields ask for; what a browser sends may be anything.

    Raises:
        InvalidInput: A field holds no value of its kind.
    """
    return Wish(
        prompt=_of_kind("prompt", prompt, str, "a text"),
        safety=float(_of_kind("safety.safety", safety, (int, float), "a number 0..1")),
        steps=int(_of_kind("num_inference_steps", steps, (int, float), "a whole number")),
        seed=int(_of_kind("seed", seed, (int, float), "a whole number from 0")),
        model=_of_kind("model", model, str, "a name from the list"),
    )


def _of_kind(field: str, value: Any, kind: type | tuple[type, ...], allowed: str) -> Any:
    is_right = isinstance(value, kind) and not isinstance(value, bool)
    if not is_right or (isinstance(value, float) and not math.isfinite(value)):
        raise InvalidInput(field, value, allowed)
    return value


def _number(event: Any) -> int:
    """Return which picture was chosen; 0, which is none, where a browser sends anything else."""
    try:
        number = event.shot
    except (AttributeError, TypeError):
        return 0
    return number if isinstance(number, int) else 0


def _visitor(request: Any) -> str:
    return str(request.session_hash)


def _counter(progress: Any, steps: int, check: Callable[[], None]) -> Callable[[], None]:
    """Return what is called after each step: it ends the drawing if `check` raises, and moves the progress bar."""
    done = 0

    def on_step() -> None:
        nonlocal done
        check()
        done += 1
        progress((done, max(steps, done)), unit="steps")

    return on_step


def _told(error: Exception) -> Notice:
    """Return what a visitor is told; what is no visitor's fault goes to the log, without its message."""
    if isinstance(error, Stopped):
        return Notice(title="Stopped.", text="The picture was not finished.")
    told = from_exception(error)
    if told.status >= 500:
        log_failure("draw_failed", error, code=told.code)
    return notice_for(error)
