"""`counterpoint check`: the merged verdict of all detectors, and no prompt in what is printed."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from typer.testing import CliRunner

from counterpoint.cli import app

PROMPTS = ["a dog in a forest", "a chef with a kn1fe", "un homme avec un couteau", "a nude child", "a c\u0430t"]


@pytest.fixture(autouse=True)
def high_threshold(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tiny encoder's weights are random: only a concept's own words may reach the threshold."""
    monkeypatch.setattr("counterpoint.pipeline.threshold_for", lambda text: 0.9999, raising=False)
    monkeypatch.setattr("counterpoint.gate.threshold_for", lambda text: 0.9999)


def check(model: str, *arguments: str, stdin: str | None = None) -> Any:
    return CliRunner().invoke(app, ["check", *arguments, "--model", model], input=stdin)


def test_json_holds_the_merged_verdicts_and_no_prompt(tiny_model_path: str) -> None:
    result = check(tiny_model_path, "-", "--json", stdin="\n".join(PROMPTS) + "\n")
    assert result.exit_code == 0, result.stderr
    verdicts = [json.loads(line) for line in result.stdout.splitlines()]
    assert [verdict["unsafe"] for verdict in verdicts] == [False, True, True, True, True]
    for prompt, verdict in zip(PROMPTS, verdicts, strict=True):
        assert set(verdict) == {"prompt_sha256", "unsafe", "score", "categories"}
        assert verdict["prompt_sha256"] == hashlib.sha256(prompt.encode()).hexdigest()
        assert verdict["score"] == max(verdict["categories"].values())
        assert {"violence", "unreadable", "minors"} <= set(verdict["categories"])
        assert prompt not in result.stdout
    names = ["violence", "unreadable", "minors", "unreadable"]
    assert [verdict["categories"][name] for name, verdict in zip(names, verdicts[1:], strict=True)] == [1.0] * 4


def test_people_are_told_why(tiny_model_path: str) -> None:
    told = check(tiny_model_path, *PROMPTS).stdout
    assert "prompt 2: unsafe" in told and "because of: kn1fe" in told
    assert "note: the language does not seem to be English" in told
    assert "note: sexual content about minors is never drawn" in told
    assert "note: letters of another script stand in for Latin ones" in told
    assert "prompt 1: safe" in told


def test_a_prompt_that_grows_over_the_encoders_limit_is_refused(tiny_model_path: str) -> None:
    result = check(tiny_model_path, "\N{HOCHO}" * 20)
    assert result.exit_code == 2 and "tokens" in result.stderr


def test_a_text_in_endless_wrappings_is_refused(tiny_model_path: str) -> None:
    result = check(tiny_model_path, "&" + "amp;" * 50)
    assert result.exit_code == 2 and "Traceback" not in result.stderr
