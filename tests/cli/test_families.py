"""`counterpoint families`: the table is the list that the conformance tests run over."""

from __future__ import annotations

import json
from typing import Any

from typer.testing import CliRunner

from counterpoint.cli import app
from counterpoint.families import families
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


def test_help_shows_an_example() -> None:
    assert "counterpoint families --json" in run("--help").stdout


def test_no_pipeline_stands_in_two_places() -> None:
    names = [name for family in families() for name in family.pipelines] + list(UNSUPPORTED)
    assert len(names) == len(set(names))
