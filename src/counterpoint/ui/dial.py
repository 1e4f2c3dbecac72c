"""The dial as people see it: its stops, the operator's floor, and the row of levels from floor to top."""

from __future__ import annotations

from typing import Any

from counterpoint.levels import LEVELS

STEP = 0.05
ROW_COUNT = 5

# `${value}` is filled in by the browser: with the number that the dial stands at.
TEMPLATE = """
<div class="cp-dial" style="--at: ${value}; --floor: FLOOR">
  <div class="cp-dial-head">
    <label for="cp-dial-range">Safety</label>
    <output for="cp-dial-range">${names[value] ? names[value] + " · " : ""}${Number(value).toFixed(2)}</output>
  </div>
  <input id="cp-dial-range" type="range" min="0" max="1" step="STEP" value="${value}"
    aria-valuetext="${Number(value).toFixed(2)} ${names[value] || ""}" aria-describedby="cp-dial-note">
  <div class="cp-stops">STOPS</div>
  <p id="cp-dial-note" class="cp-note">NOTE</p>
</div>
"""
SCRIPT = """
const floor = FLOOR;
const set = (value) => { props.value = Math.round(Math.max(floor, value) * 1e6) / 1e6; };
element.addEventListener('input', (event) => {
  set(Number(event.target.value));
  event.target.value = props.value;  // below the floor the thumb stays where it was
});
element.addEventListener('change', () => trigger('release'));
element.addEventListener('click', (event) => {
  const stop = event.target.closest('button[data-at]');
  if (stop) { set(Number(stop.dataset.at)); trigger('release'); }
});
"""


def level_name(safety: float) -> str:
    """Return a level's name, or the number with two digits where it has none."""
    return next((name for name, value in LEVELS.items() if value == safety), f"{safety:.2f}")


def row_levels(floor: float) -> tuple[float, ...]:
    """Return ROW_COUNT levels, evenly spaced from the operator's floor (0..1) to 1; one where the floor is 1."""
    if floor >= 1.0:
        return (1.0,)
    return tuple(round(floor + (1.0 - floor) * part / (ROW_COUNT - 1), 6) for part in range(ROW_COUNT))


def dial(*, value: float, floor: float) -> Any:
    """Return the component; its value is the dial 0..1, its event `release`. Call it inside a page.

    The browser keeps it from going below the floor; that is a courtesy, the rule is `server.policy`'s.

    Args:
        value: Where it stands first, from `floor` to 1.
        floor: The operator's `min_safety`, 0..1.
    """
    import gradio as gr

    return gr.HTML(
        value=value,
        html_template=_template(floor),
        js_on_load=SCRIPT.replace("FLOOR", str(floor)),
        names={f"{number:g}": name for name, number in LEVELS.items()},
        elem_id="dial",
        apply_default_css=False,
    )


def _template(floor: float) -> str:
    stops = "".join(
        f'<button type="button" data-at="{value:g}" style="--stop: {value:g}"'
        f"{' disabled' if value < floor else ''}>{name}</button>"
        for name, value in LEVELS.items()
    )
    note = "Moving the dial draws again, from the same seed."
    if floor > 0.0:
        note += f" The operator allows {level_name(floor)} and more."
    parts = {"FLOOR": str(floor), "STEP": str(STEP), "STOPS": stops, "NOTE": note}
    filled = TEMPLATE
    for name, part in parts.items():
        filled = filled.replace(name, part)
    return filled
