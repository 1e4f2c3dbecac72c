"""What the conformance tests found: `conformance.json`, which `tests/families/conformance.py` writes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PATH = Path(__file__).with_name("conformance.json")
PASSED = "passed"


@dataclass(frozen=True, kw_only=True)
class Conformance:
    """Outcomes by title and pipeline class: `PASSED`, or what came instead and why."""

    date: str
    """Day on which the tests were run, as 2026-01-31."""
    diffusers: str
    """Version of diffusers that they were run with."""
    claims: dict[str, dict[str, str]]
    """What is claimed of every supported class."""
    also: dict[str, dict[str, str]]
    """Ways of calling some classes, as "a LoRA"."""

    def claims_of(self, pipeline: str) -> dict[str, str]:
        """Return the outcome of every claim for a class; "not run" where there is none."""
        return {title: outcomes.get(pipeline, "not run") for title, outcomes in self.claims.items()}

    def also_of(self, pipeline: str) -> dict[str, str]:
        """Return the outcomes of the ways in which a class was called besides."""
        return {title: outcomes[pipeline] for title, outcomes in self.also.items() if pipeline in outcomes}

    def passes(self, pipeline: str) -> bool:
        """Whether every claim holds for a class."""
        return all(outcome == PASSED for outcome in self.claims_of(pipeline).values())

    def verdict(self, pipeline: str) -> str:
        """Return "10 of 10 claims", with those that do not hold and why."""
        outcomes = self.claims_of(pipeline)
        wrong = [f"{title}: {outcome}" for title, outcome in outcomes.items() if outcome != PASSED]
        return "; ".join([f"{len(outcomes) - len(wrong)} of {len(outcomes)} claims", *wrong])

    def ways(self, pipeline: str) -> str:
        """Return "a LoRA, an IP-Adapter", with what came out where that is not all well; empty where there is none."""
        outcomes = self.also_of(pipeline)
        return ", ".join(way if outcome == PASSED else f"{way} ({outcome})" for way, outcome in outcomes.items())


@cache
def conformance() -> Conformance:
    """Return the record that this package was released with."""
    record = json.loads(PATH.read_text(encoding="utf-8"))
    return Conformance(date=record["date"], diffusers=record["diffusers"], claims=record["claims"], also=record["also"])
