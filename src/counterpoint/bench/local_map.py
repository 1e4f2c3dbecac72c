"""The local weight map against the global weight: what stays of the plain picture at equal unsafe rate."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

from counterpoint.bench.cases import Case
from counterpoint.bench.equal_rate import difference_at_equal_rate
from counterpoint.bench.setting import Comparison, Drawing, Outcome, Setting
from counterpoint.engines.local_weight import LocalWeight
from counterpoint.mixing import MixingSchedule
from counterpoint.results import Figure
from counterpoint.sheet import contact_sheet

TAU = 0.2
GLOBAL_WEIGHTS = (0.3, 0.4, 0.5, 0.55, 0.6, 0.65, 0.7, 0.8)
LOCAL_WEIGHTS = (0.5, 0.65, 0.8, 1.0)
"""Of the map with the default threshold."""
TOGETHER = (0.5, 0.65, 0.8)
"""Weights that are also compared together: those at which a map is of use. At 1 it kept less on the 50 prompts, seed 0,
that this was chosen on."""
SEED = 2
"""Of the prompts: neither those that `TOGETHER` was chosen on, nor the 100 of seed 1 that left it undecided."""
MILD = ("knife", "cigarette")
"""Objects that the contact sheet may show."""
SHEET_ROWS = 4
LARGEST_SHEET = 200_000
"""Bytes."""


def global_settings() -> list[Setting]:
    """Return the global weights, the weakest first."""
    return [
        Setting(
            name=f"global, w {w:g}", safety=1.0, options={"schedule": MixingSchedule(weight=w, tau=TAU), "reuse": 1}
        )
        for w in GLOBAL_WEIGHTS
    ]


def local_settings() -> list[Setting]:
    """Return the local maps."""
    return [
        Setting(
            name=_local(w),
            safety=1.0,
            options={"schedule": MixingSchedule(weight=w, tau=TAU), "reuse": 1, "local": LocalWeight()},
        )
        for w in LOCAL_WEIGHTS
    ]


def _local(weight: float) -> str:
    return f"local, w {weight:g}"


def measure(bench: Drawing, cases: Sequence[Case], out: Path) -> dict[str, Figure]:
    """Draw the cases by every setting; also a contact sheet beside `out`."""
    comparison = Comparison(bench, cases)
    dial = {setting.name: comparison.draw(setting) for setting in global_settings()}
    maps = {setting.name: comparison.draw(setting) for setting in local_settings()}
    figures = {
        f"{name}: {key}": figure
        for name, outcome in {**dial, **maps}.items()
        for key, figure in outcome.figures.items()
    }
    groups = {name: [name] for name in maps}
    groups[f"local, w {' '.join(f'{w:g}' for w in TOGETHER)} together"] = [_local(w) for w in TOGETHER]
    for name, members in groups.items():
        figures[f"{name}: change outside the object, less the global weight's at equal unsafe rate"] = compared(
            [maps[member] for member in members], list(dial.values()), comparison.plain_unsafe
        )
    write_sheet(comparison, {**dial, **maps}, out.with_suffix(".jpg"))
    return figures


def compared(maps: Sequence[Outcome], dial: Sequence[Outcome], plain_unsafe: Sequence[bool | None]) -> Figure:
    """Compare maps with the dial of global weights, whose weakest point is the plain picture: nothing changed."""
    ways = (*maps, *dial)
    whole = [
        i
        for i, is_unsafe in enumerate(plain_unsafe)
        if is_unsafe is not None and all(one.unsafe[i] is not None and one.kept[i] is not None for one in ways)
    ]
    if not whole:
        raise ValueError("nothing can be compared: every picture is an error, or shows no object in the plain one")
    start = np.array([[plain_unsafe[i] for i in whole]], dtype=float)  # (1, N)
    unsafe = np.array([[one.unsafe[i] for i in whole] for one in ways], dtype=float)  # (M + W, N)
    change = np.array([[kept.outside_object for i in whole if (kept := one.kept[i])] for one in ways])
    own, other = slice(len(maps)), slice(len(maps), None)
    return difference_at_equal_rate(
        unsafe[own], change[own], np.concatenate([start, unsafe[other]]), np.concatenate([0.0 * start, change[other]])
    )


def write_sheet(comparison: Comparison, outcomes: Mapping[str, Outcome], path: Path) -> None:
    """Write a JPEG of 200 KB at most: plain, two global weights, two maps; mild objects only."""
    shown = [i for i, case in enumerate(comparison.cases) if case.scene.object in MILD][:SHEET_ROWS]
    if not shown:
        return
    middle = f"global, w {GLOBAL_WEIGHTS[len(GLOBAL_WEIGHTS) // 2]:g}"
    names = [middle, f"global, w {GLOBAL_WEIGHTS[-1]:g}", *map(_local, TOGETHER[-2:])]
    rows = [
        [_picture(one.pixels) for one in (comparison.plain[i], *(outcomes[name].drawn[i] for name in names))]
        for i in shown
    ]
    sheet = contact_sheet(
        rows,
        columns=["plain", *names],
        row_labels=[comparison.cases[i].prompt for i in shown],
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_jpeg(sheet))


def _jpeg(sheet: Image.Image) -> bytes:
    for quality in range(90, 0, -10):
        buffer = io.BytesIO()
        sheet.save(buffer, "JPEG", quality=quality)
        if buffer.tell() <= LARGEST_SHEET:
            break
    return buffer.getvalue()


def _picture(pixels: Tensor | None) -> Image.Image | None:
    """Return a picture (3, H, W), RGB in [0, 1], for the sheet."""
    if pixels is None:
        return None
    return Image.fromarray((pixels.permute(1, 2, 0).clamp(0, 1) * 255).round().byte().numpy())
