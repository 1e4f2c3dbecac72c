"""Write the three tables of figures in README.md from docs/results.

python scripts/readme_figures.py
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
README, RESULTS = ROOT / "README.md", ROOT / "docs" / "results"
START, END = "<!-- figures: scripts/readme_figures.py -->\n", "<!-- end of figures -->\n"
OURS = "counterpoint safety 0.5"
"""The setting of the run `scenes` that is compared: what the product does where nobody chooses."""
LEVELS = ("off", "low", "medium", "high", "max")
Figure = dict[str, Any]


def figure(page: str, name: str) -> Figure:
    """Return one figure of docs/results/PAGE.json."""
    found: Figure = json.loads((RESULTS / f"{page}.json").read_text(encoding="utf-8"))["figures"][name]
    return found


def percent(one: Figure) -> str:
    """Return a rate and its interval in per cent, as "2.4 % (1.4 to 4.1)"."""
    value, low, high = (f"{100 * one[part]:.1f}" for part in ("value", "low", "high"))
    return f"{value} % ({low} to {high})"


def times(one: Figure) -> str:
    """Return a ratio and its interval, as "1.15x (1.14 to 1.19)"."""
    return f"{one['value']:.2f}x ({one['low']:.2f} to {one['high']:.2f})"


def number(one: Figure) -> str:
    """Return a bare number and its interval, as "0.968 (0.965 to 0.972)"."""
    return f"{one['value']:.3f} ({one['low']:.3f} to {one['high']:.3f})"


def count(one: Figure) -> str:
    """Return a number of a whole, as "28 of 62"."""
    whole = one["n"]
    return f"{one['value'] if one['value'] > 1 else round(one['value'] * whole)} of {whole}"


ROWS: tuple[tuple[str, str, str, Callable[[Figure], str]], ...] = (
    ("harmless prompt: the plain picture, bit for bit", "benign", "identical where the gate is not engaged", count),
    ("harmless prompts that are steered all the same", "benign", "gate engages", percent),
    ("time of a harmless picture, by the plain pipeline's", "speed-harmless", "harmless, medium: seconds", times),
    ("time of a steered picture, level medium", "speed-engaged", "engaged, medium, fused: seconds", times),
    ("the whole gate, by the time of a picture", "gate-cost", "1 thread, scenes: the whole gate, wall, of one picture",
     percent),
    ("with the output check, level medium: unsafe pictures of unsafe prompts", "checked",
     "with: unsafe pictures returned", percent),
    ("... without it", "checked", "without: unsafe pictures returned", percent),
    ("harmless prompts that users typed, DiffusionDB: the whole gate engages", "gate-sets",
     "alarms, DiffusionDB, harmless", percent),
    ("... Pick-a-Pic", "gate-sets", "alarms, Pick-a-Pic, harmless", percent),
    ("unsafe ones (graded by us), DiffusionDB: the whole gate engages", "gate-sets", "recall, DiffusionDB, unsafe",
     percent),
    ("... Pick-a-Pic", "gate-sets", "recall, Pick-a-Pic, unsafe", percent),
    ("prompt classifier, I2P against COCO captions, AUC", "prompt-classifier", "I2P / COCO-3k", number),
    ("... its recall of I2P (part of it is harmless), point *balanced*", "prompt-classifier", "balanced: recall, I2P",
     percent),
    ("... its alarms on COCO captions, point *steer*", "prompt-classifier", "steer: alarms, COCO-3k", percent),
    ("... its recall of I2P there", "prompt-classifier", "steer: recall, I2P", percent),
    ("the whole gate's alarms on COCO captions", "gate-sets", "alarms, COCO-3k", percent),
    ("... on harmless prompts of people that name no group", "gate-sets", "alarms, people, plain, written apart",
     percent),
    ("... that name love and gender: gay couples, trans people", "gate-sets",
     "alarms, people, love and gender, written apart", percent),
    ("disguised prompts that are still caught: disguise undone", "evasions",
     "balanced: still caught, all that is undone", percent),
    ("... disguise read through: leet, spaced, misspelt", "evasions",
     "balanced: still caught, all that is read", percent),
    ("text-to-image classes of diffusers that can be wrapped", "sweep", "text alone: pass", count),
    ("... with those that also take a picture", "sweep", "all: pass", count),
    ("the embedded model draws the object that was asked for", "model", "object as asked", percent),
)  # fmt: skip
"""What is shown: its words, the page, the figure's name there, and how it is written."""


def dial() -> list[str]:
    """Return the rows of the dial: what each level leaves unsafe, what it keeps, and what it costs."""
    rows = ["| safety | unsafe pictures | subject kept | background kept | denoiser rows |", "|---|---|---|---|---|"]
    for level in LEVELS:
        unsafe, *kept = (figure("levels", f"{level}: {name}") for name in ("unsafe", "subject kept", "background kept"))
        cost = {"value": 1.0} if level == "off" else figure("speed", f"engaged, {level}, fused: rows ratio")
        shown = ["–", "–"] if level == "off" else [percent(one) for one in kept]
        name = "off: the plain model" if level == "off" else level
        rows.append(f"| {name} | {percent(unsafe)} | {' | '.join(shown)} | {cost['value']:.2f}x |")
    return rows


def rivals() -> list[str]:
    """Return what each rival leaves unsafe at equal kept context, the strongest first, and what it does to neighbours.

    The neighbours' object is that of the setting which is the larger part of the match, the plain model aside.
    """
    run = json.loads((RESULTS / "scenes.json").read_text(encoding="utf-8"))
    duels = [row for row in run["run"]["matched"] if (row["ours"], row["compared"]) == (OURS, "unsafe")]
    rows = [
        "| method | matched setting | unsafe pictures at equal kept context | ours less it, points (95 %) | p | better "
        "| neighbours keep their object |",
        "|---|---|---|---|---|---|---|",
        f"| **ours** | medium | {100 * duels[0]['our rate']:.1f} % | – | – | – | {_kept(run, OURS)} |",
    ]
    for duel in sorted(duels, key=lambda row: float(row["rival rate"])):
        gap = [f"{100 * duel[part] + 0:+.1f}" for part in ("value", "low", "high")]
        pair = [duel["first setting"], duel["second setting"]]
        larger = next(name for name in (pair[::-1] if duel["share of second"] >= 0.5 else pair) if name != "plain")
        rows.append(
            f"| `{duel['rival']}` | {_match(duel)} | {100 * duel['rival rate']:.1f} % "
            f"| {gap[0]} ({gap[1]} to {gap[2]}) | {duel['corrected p']:.2g} | {duel['winner']} | {_kept(run, larger)} |"
        )
    return rows


def _match(duel: dict[str, Any]) -> str:
    """Return the setting, or the mixture of two, that keeps as much context as ours; without the method's name."""
    names = [duel["first setting"], duel["second setting"]]
    first, second = (name.removeprefix(duel["rival"]).strip() or "itself" for name in names)
    share = round(100 * duel["share of second"])
    if first == second or share in (0, 100):
        return second if share == 100 else first
    return f"{share} % {second}, else {first}"


def _kept(run: dict[str, Any], setting: str) -> str:
    return f"{100 * run['figures'][f'proximal, object kept, {setting}']['value']:.0f} %"


def render() -> str:
    """Return the tables."""
    prompts = figure("levels", "medium: unsafe")["n"]
    rows = [
        f"| {words} | {written(one := figure(page, name))} | {one['n']} | [{page}](docs/results/{page}.md) |"
        for words, page, name, written in ROWS
    ]
    return "\n".join(
        [
            f"{prompts} unsafe prompts at every level, 95 % intervals ([levels](docs/results/levels.md)):", "",
            *dial(), "",
            "| what | value (95 %) | n | page |", "|---|---|---|---|", *rows, "",
            "Against other methods ([scenes](docs/results/scenes.md)), each matched to ours along its own strength, by "
            "one setting or by a mixture of two, the plain model included; p is corrected for their number:", "",
            *rivals(),
        ]
    ) + "\n"  # fmt: skip


def with_figures(readme: str) -> str:
    """Return the README with the current tables between its two marks."""
    before, _, rest = readme.partition(START)
    _, _, after = rest.partition(END)
    return f"{before}{START}\n{render()}\n{END}{after}"


if __name__ == "__main__":
    README.write_text(with_figures(README.read_text(encoding="utf-8")), encoding="utf-8")
