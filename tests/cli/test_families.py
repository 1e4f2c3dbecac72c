"""`counterpoint families`: the list that the conformance tests run over, and what came out."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from typer.testing import CliRunner

from counterpoint.cli import app
from counterpoint.families import families
from counterpoint.families.conformance import PASSED, conformance
from counterpoint.families.unsupported import UNSUPPORTED


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["families", *arguments])


def test_json_has_one_row_a_pipeline() -> None:
    rows = json.loads(run("--json").stdout)
    assert [row["pipeline"] for row in rows if row["supported"]] == [
        name for family in families() for name in family.pipelines
    ]
    assert {row["pipeline"]: row["note"] for row in rows if not row["supported"]} == UNSUPPORTED
    assert next(row for row in rows if row["pipeline"] == "StableDiffusionPipeline")["engines"] == [
        "fused",
        "reference",
    ]


def test_the_table_names_what_can_be_wrapped_and_says_why_others_cannot() -> None:
    done = run()
    assert done.exit_code == 0
    supported, unsupported = done.stdout.split("cannot be wrapped, because")
    assert "StableDiffusionXLPipeline" in supported and "FluxPipeline" in supported
    assert all(name in unsupported and reason in unsupported for name, reason in UNSUPPORTED.items())


def test_it_says_what_each_pipeline_was_tested_for() -> None:
    record = conformance()
    rows = {row["pipeline"]: row for row in json.loads(run("--json").stdout) if row["supported"]}
    for name, row in rows.items():
        assert row["claims"] == record.claims_of(name) and row["also"] == record.also_of(name)
        assert row["tested"] == {"diffusers": record.diffusers, "date": record.date}
    assert rows["StableDiffusionPipeline"]["also"]["a LoRA"] == PASSED
    printed = run().stdout
    assert f"diffusers {record.diffusers} on {record.date}" in printed
    assert all(title in printed for title in record.claims)


def test_a_pipeline_that_does_not_pass_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    title, *others = conformance().claims
    claims = {title: {"FluxPipeline": "failed: another picture"}, **{other: {} for other in others}}
    worse = replace(conformance(), claims=claims)
    monkeypatch.setattr("counterpoint.families.conformance.conformance", lambda: worse)
    (line,) = [line for line in run().stdout.splitlines() if line.split()[:1] == ["FluxPipeline"]]
    assert f"0 of {len(claims)} claims; {title}: failed: another picture; {others[0]}: not run" in line


def test_help_shows_an_example() -> None:
    assert "counterpoint families --json" in run("--help").stdout


def test_no_pipeline_stands_in_two_places() -> None:
    names = [name for family in families() for name in family.pipelines] + list(UNSUPPORTED)
    assert len(names) == len(set(names))
