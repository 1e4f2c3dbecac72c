"""HTML of pictures and of what is said about them. All text is escaped; pictures are data inside the page."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape

from counterpoint.interfaces import SafetyReport
from counterpoint.ui.dial import level_name
from counterpoint.ui.studio import Shot, blurred
from counterpoint.ui.wording import LABELS, Notice, what_was_done

EMPTY = """
<div class="cp-stage cp-empty"><svg viewBox="0 0 240 120" aria-hidden="true">
<path d="M0 60 C 40 10, 80 10, 120 60 S 200 110, 240 60" class="cp-voice-a"/>
<path d="M0 60 C 40 100, 80 96, 120 60 S 200 40, 240 60" class="cp-voice-b"/>
</svg><p>Say what to draw, or take an example.</p></div>
"""


def picture(shot: Shot) -> str:
    """Return a picture, or what stands in its place."""
    if shot.file is None:
        return notice(Notice(title="This picture is not shown.", text=what_was_done(shot.report)))
    return f'<figure class="cp-stage">{_image(shot.file, alt=f"Drawn for: {shot.wish.prompt}")}</figure>'


def notice(told: Notice) -> str:
    """Return a friendly message in a picture's place; screen readers say it at once."""
    return (
        f'<div class="cp-stage cp-notice" role="alert"><strong>{escape(told.title)}</strong>'
        f"<p>{escape(told.text)}</p></div>"
    )


def report_card(shot: Shot) -> str:
    """Return what was done and why, and the figures behind it."""
    report, wish = shot.report, shot.wish
    facts = [f"Seed {wish.seed}", f"{wish.steps} steps", f"Safety {level_name(wish.safety)}"]
    if report.action == "steered":
        facts += [f"w {report.weight:.2f}", f"τ {report.tau:.2f}"]
    facts.append(f"{report.cost.denoiser_rows / report.cost.plain_rows:.1f}× the plain model's work")
    return (
        f'<section class="cp-card" aria-label="What was done"><p class="cp-done">'
        f'<span class="cp-badge cp-{report.action}">{LABELS[report.action]}</span> {escape(what_was_done(report))}</p>'
        f'<p class="cp-facts">{" · ".join(facts)}</p></section>'
    )


def download(shot: Shot) -> str:
    """Return the link to the marked file; nothing where there is none."""
    if shot.file is None:
        return ""
    name = f"counterpoint-{shot.wish.seed}-{level_name(shot.wish.safety)}.png"
    title = "PNG with its record and marks, without the prompt"
    return f'<a class="cp-button" download="{name}" href="{_data(shot.file)}" title="{title}">Download</a>'


def readings(report: SafetyReport) -> str:
    """Return the categories of the gate, and those of the picture check where it looked."""
    gate = bars("What the gate read in the prompt", report.categories, stands_out=report.action != "passed")
    check = bars("What the picture check saw", report.picture_categories, stands_out=bool(report.picture_unsafe))
    note = "Scores say which category is nearest; they are no probabilities."
    return f'<section class="cp-card">{gate}{check}<p class="cp-note">{note}</p></section>' if gate or check else ""


def bars(title: str, categories: Mapping[str, float], *, stands_out: bool) -> str:
    """Return one bar a category, the largest first; nothing where there is none.

    Args:
        title: Heading.
        categories: Scores; 1 is the concept itself, other detectors' units may pass it or fall below 0.
        stands_out: Whether the first bar is marked as the reason for what was done.
    """
    if not categories:
        return ""
    rows = []
    for place, (name, score) in enumerate(sorted(categories.items(), key=lambda item: -item[1])):
        width = 100.0 * min(1.0, max(0.0, score))
        mark = ' class="cp-reason"' if stands_out and place == 0 else ""
        rows.append(
            f"<li{mark}><span>{escape(name)}</span>"
            f'<span class="cp-bar" aria-hidden="true"><i style="width: {width:.0f}%"></i></span><b>{score:.2f}</b></li>'
        )
    return f'<h3>{escape(title)}</h3><ul class="cp-bars">{"".join(rows)}</ul>'


def waiting(text: str) -> str:
    """Return an empty stage that says what is on its way."""
    return f'<div class="cp-stage cp-empty"><p>{escape(text)}</p></div>'


def row(levels: Sequence[float], shots: Sequence[Shot], numbers: Sequence[int | None]) -> str:
    """Return the row of the dial: one panel a level, those not drawn yet left open.

    Args:
        levels: Dial settings 0..1 from left to right.
        shots: Pictures of the first levels.
        numbers: Their numbers in the session; None hides the picture behind a blur.
    """
    panels = []
    for place, safety in enumerate(levels):
        label = f"<b>{level_name(safety)}</b>"
        if place >= len(shots):
            panels.append(f'<div class="cp-panel cp-open"><span class="cp-blank"></span>{label}</div>')
            continue
        shot, number = shots[place], numbers[place]
        if shot.file is None:
            panels.append(f'<div class="cp-panel"><span class="cp-blank"></span>{label}<span>not shown</span></div>')
        elif number is None:
            hidden = _image(blurred(shot.file), alt="Blurred: the plain model's picture")
            panels.append(f'<div class="cp-panel">{hidden}{label}<span>blurred</span></div>')
        else:
            shown = _image(shot.file, alt=f"At safety {level_name(safety)}")
            action = escape(_in_short(shot.report))
            inner = f"{shown}{label}<span>{action}</span>"
            panels.append(f'<button type="button" class="cp-panel" data-shot="{number}">{inner}</button>')
    return f'<h2>Row of the dial</h2><div class="cp-row">{"".join(panels)}</div>'


def history(shots: Mapping[int, Shot]) -> str:
    """Return all pictures of a session, the newest first; nothing where there is none."""
    tiles = []
    for number, shot in reversed(list(shots.items())):
        name = f"{shot.wish.prompt}, safety {level_name(shot.wish.safety)}, seed {shot.wish.seed}"
        inner = '<span class="cp-blank"></span>' if shot.file is None else _image(shot.file, alt="")
        tiles.append(
            f'<button type="button" class="cp-tile" data-shot="{number}" aria-label="{escape(name)}"'
            f' title="{escape(name)}">{inner}</button>'
        )
    if not tiles:
        return ""
    return f'<h2>This session</h2><div class="cp-history">{"".join(tiles)}</div>'


def comparison(plain: Shot, safe: Shot, *, is_revealed: bool) -> str:
    """Return the plain picture over the safe one, with a slider between them.

    Until it is asked for, the plain picture is not in the page at all: what is shown is made from a
    few of its pixels.
    """
    if plain.file is None or safe.file is None:
        return notice(Notice(title="There is nothing to compare.", text="One of the two pictures is not shown."))
    over = plain.file if is_revealed else blurred(plain.file)
    ask = "" if is_revealed else '<button type="button" class="cp-button cp-reveal">Show the plain picture</button>'
    return (
        '<h2>Plain and safe</h2><p class="cp-note">One prompt, one seed. The plain picture stays blurred until you ask '
        'for it.</p><figure class="cp-compare" style="--cut: 50%">'
        f'<div class="cp-layers">{_image(safe.file, alt="Safe picture")}'
        f"{_image(over, alt='Plain picture' if is_revealed else 'Plain picture, blurred', kind='cp-over')}"
        '<span class="cp-cut" aria-hidden="true"></span></div>'
        '<input type="range" min="0" max="100" value="50" aria-label="How much of the plain picture is shown, percent">'
        f"<figcaption><span>plain</span>{ask}<span>safe</span></figcaption></figure>"
    )


def _in_short(report: SafetyReport) -> str:
    return f"w {report.weight:.2f}" if report.action == "steered" else LABELS[report.action].lower()


def _image(file: bytes, *, alt: str, kind: str = "") -> str:
    name = f' class="{kind}"' if kind else ""
    return f'<img{name} src="{_data(file)}" alt="{escape(alt)}">'


def _data(file: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(file).decode()}"
