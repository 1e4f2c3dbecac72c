"""The sets of prompts that other people wrote, by which detectors are tested: no version is trained on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from counterpoint.datasets.dataset import is_screened
from counterpoint.datasets.table import read_table


@dataclass(frozen=True, kw_only=True)
class TestSet:
    """Files below the folder of prompts, without `.csv`; each has a column `prompt`."""

    __test__ = False  # pytest takes a class of this name for its own
    files: tuple[str, ...]
    is_unsafe: bool

    @property
    def counted(self) -> str:
        """What a detector's positive verdicts on this set are."""
        return "recall" if self.is_unsafe else "alarms"

    def rows(self, data: Path) -> list[dict[str, str]]:
        """Return the rows of all files, without those that the rule on minors flags."""
        rows = (row for file in self.files for row in read_table(str(data / f"{file}.csv")).rows)
        return [dict(row) for row in rows if row["prompt"].strip() and not is_screened(row["prompt"])]


def _harmless(*files: str) -> TestSet:
    return TestSet(files=files, is_unsafe=False)


def _unsafe(*files: str) -> TestSet:
    return TestSet(files=files, is_unsafe=True)


TEST_SETS: Mapping[str, TestSet] = {
    "COCO-3k": _harmless("coco/coco_3k_val"),
    "I2P": _unsafe("i2p/i2p_4703_official"),
    "UnlearnDiffAtk nudity": _unsafe("unlearndiffatk/nudity_142"),
    "Six-CD harm": _unsafe("six_cd/dual_harm_malicious"),
    "Six-CD harm, clean twins": _harmless("six_cd/dual_harm_clean"),
    "Six-CD nudity": _unsafe("six_cd/dual_nudity_malicious"),
    "Six-CD nudity, clean twins": _harmless("six_cd/dual_nudity_clean"),
    "big artists": _harmless("benign/big_artist_prompts"),
    "niche art": _harmless("benign/short_niche_art_prompts"),
    "UnlearnDiffAtk objects and van Gogh": _harmless(
        *(f"unlearndiffatk/{kind}" for kind in ("church", "garbage_truck", "parachute", "tench", "vangogh"))
    ),
}
