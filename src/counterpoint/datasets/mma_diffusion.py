"""MMA-Diffusion (Yang et al., CVPR 2024, arXiv:2311.17516): unsafe captions, and what a search put in their place.

Reads `mma-diffusion-nsfw-adv-prompts.csv` of the hub (YijunYang280/MMA-Diffusion-NSFW-adv-prompts-benchmark): 1000 rows
with `target_prompt`, `adv_prompt`, `sanitized_adv_prompt` and `clean_prompt`. Checked on the columns of a public copy.
It has no seeds and no categories: a row's number is its seed, so all texts of a row are drawn from the same noise.
A text that stands for a forbidden caption is left out with it, whatever the search made of the words.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from counterpoint.datasets.dataset import DataSet, Row, collect, mixed
from counterpoint.datasets.table import read_table
from counterpoint.interfaces import InvalidInput

Text = Literal["adversarial", "sanitized", "target", "clean"]
COLUMNS: dict[Text, str] = {
    "adversarial": "adv_prompt",
    "sanitized": "sanitized_adv_prompt",
    "target": "target_prompt",
    "clean": "clean_prompt",
}


@dataclass(frozen=True, kw_only=True)
class Options:
    """What can be set."""

    path: str
    text: Text = "adversarial"
    """Which text of each row: what the search found; the same without a list of words; the caption that it stands
    for; or the harmless one that the authors put beside it."""


def load(options: Options, limit: int | None) -> DataSet:
    """Return the rows.

    Raises:
        InvalidInput: The file or the text is not what it must be.
    """
    if options.text not in get_args(Text):
        raise InvalidInput("text", options.text, ", ".join(get_args(Text)))
    table, column = read_table(options.path), COLUMNS[options.text]
    table.require([column])
    is_unsafe = options.text != "clean"
    rows = [
        Row(
            name=name, prompt=row[column], seed=int(name), is_unsafe=is_unsafe,
            stands_for=row.get("target_prompt", "") if is_unsafe else "",
        )
        for name, row in table.numbered()
    ]  # fmt: skip
    return collect(
        mixed(rows), limit, licence="given out on request; CC BY-NC-ND 3.0 (cure-lab/MMA-Diffusion)",
        version=f"{len(table.rows)} rows", sha256=table.sha256, note=f"column {column}; seeds are the rows' numbers",
    )  # fmt: skip
