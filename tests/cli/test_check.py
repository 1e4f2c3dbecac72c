"""`counterpoint check`: the merged verdict of all detectors, and no prompt in what is printed."""

from __future__ import annotations

import hashlib
import importlib
import json
from typing import Any

import pytest
from typer.testing import CliRunner

from counterpoint.cli import app
from counterpoint.interfaces import Detection

check_command = importlib.import_module("counterpoint.cli.check")  # the package's own name is the function

PROMPTS = ["a dog in a forest", "a chef with a kn1fe", "un homme avec un couteau", "a nude child", "a c\u0430t"]


@pytest.fixture(autouse=True)
def high_threshold(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tiny encoder's weights are random: only a concept's own words may reach the threshold."""
    monkeypatch.setattr("counterpoint.gate.threshold_for", lambda text: 0.9999)


def check(model: str, *arguments: str, stdin: str | None = None) -> Any:
    return CliRunner().invoke(app, ["check", *arguments, "--model", model], input=stdin)


def test_json_holds_the_merged_verdicts_and_no_prompt(tiny_model_path: str) -> None:
    result = check(tiny_model_path, "-", "--json", stdin="\n".join(PROMPTS) + "\n")
    assert result.exit_code == 0, result.stderr
    verdicts = [json.loads(line) for line in result.stdout.splitlines()]
    assert [verdict["unsafe"] for verdict in verdicts] == [False, True, True, True, True]
    for prompt, verdict in zip(PROMPTS, verdicts, strict=True):
        assert set(verdict) == {"prompt_sha256", "unsafe", "forbidden", "score", "categories", "engaged_by", "remarks"}
        assert verdict["forbidden"] == (prompt == "a nude child")
        assert verdict["prompt_sha256"] == hashlib.sha256(prompt.encode()).hexdigest()
        assert verdict["score"] == max(verdict["categories"].values())
        assert {"violence", "unreadable", "minors"} <= set(verdict["categories"])
        assert bool(verdict["engaged_by"]) == verdict["unsafe"]
        assert prompt not in result.stdout
    names = ["violence", "unreadable", "minors", "unreadable"]
    by = ["WordList", "Readability", "Minors", "Readability"]
    assert all(name in verdict["engaged_by"] for name, verdict in zip(by, verdicts[1:], strict=True))
    assert verdicts[2]["remarks"] == ["the language does not seem to be English"] and not verdicts[0]["remarks"]
    assert [verdict["categories"][name] for name, verdict in zip(names, verdicts[1:], strict=True)] == [1.0] * 4


def test_people_are_told_why(tiny_model_path: str) -> None:
    told = check(tiny_model_path, *PROMPTS).stdout
    assert "prompt 2: unsafe" in told and "because of: kn1fe" in told
    assert "  engaged by: " in told and "WordList" in told
    assert "note: the language does not seem to be English" in told
    assert "note: sexual content about minors is never drawn" in told
    assert "note: letters of another script stand in for Latin ones" in told
    assert "prompt 1: safe" in told


@pytest.mark.parametrize(
    ("prompt", "unsafe"),
    [
        ("a dog and a cat in a forest " * 6, False),
        ("\N{HOCHO}" * 20, True),
        ("a dog in a forest " * 12 + "knife", True),
    ],
)
def test_a_prompt_longer_than_the_model_reads_is_judged_whole(tiny_model_path: str, prompt: str, unsafe: bool) -> None:
    result = check(tiny_model_path, prompt, "--json")
    assert result.exit_code == 0, result.stderr
    verdict = json.loads(result.stdout)
    assert verdict["unsafe"] == unsafe
    assert any(remark.startswith("longer than this model reads: ") for remark in verdict["remarks"])
    assert "note: longer than this model reads" in check(tiny_model_path, prompt).stdout


BAD = {2: b"", 4: b"\xff\xfe", 5: b"&" + b"amp;" * 50}


def test_a_bad_line_costs_no_other_its_verdict(tiny_model_path: str) -> None:
    lines = [BAD.get(number, b"a dog in a forest" if number % 2 else b"a knife") for number in range(1, 8)]
    stdin = b"\n".join(lines) + b"\n"
    result = CliRunner().invoke(app, ["check", "-", "--json", "--model", tiny_model_path], input=stdin)
    assert result.exit_code == 4 and "3 of 7 prompts could not be judged" in result.stderr
    said = [json.loads(line) for line in result.stdout.splitlines()]
    assert [one.get("line") for one in said] == [None, 2, None, 4, 5, None, None]
    assert [one.get("unsafe") for one in said] == [False, None, False, None, None, True, False]
    assert all(set(one) == {"error", "line"} for one in said if "line" in one)
    told = CliRunner().invoke(app, ["check", "-", "--model", tiny_model_path], input=stdin)
    assert told.exit_code == 4 and "prompt 2: not judged  prompt: got 'an empty text'" in told.stdout


def test_a_detector_that_fails_on_one_prompt_judges_the_others(
    tiny_model_path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from counterpoint.detectors.word_list import WordList

    def judge(self: WordList, prompts: Any) -> Any:
        if "a cat" in prompts:
            raise RuntimeError("no words for: a cat")
        return [Detection(is_unsafe=False, score=0.0) for _ in prompts]

    monkeypatch.setattr(WordList, "__call__", judge)
    result = check(tiny_model_path, "a dog", "a cat", "a dog", "--json")
    assert result.exit_code == 4
    said = [json.loads(line) for line in result.stdout.splitlines()]
    assert said[1] == {"error": "the gate failed (RuntimeError)", "line": 2}
    assert [one.get("unsafe") for one in said] == [False, None, False]


def test_lines_are_judged_in_chunks_as_they_are_read(tiny_model_path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second chunk is asked for only after the first one's verdicts were printed."""
    seen: list[tuple[str, int]] = []

    def lines(prompts: Any) -> Any:
        for number in range(5):
            seen.append(("read", number))
            yield "a knife" if number == 4 else "a dog"

    monkeypatch.setattr(check_command, "CHUNK", 2)
    monkeypatch.setattr(check_command, "_read_prompts", lines)
    monkeypatch.setattr(check_command, "_print", lambda number, checked, *, as_json: seen.append(("said", number - 1)))
    assert check(tiny_model_path, "-").exit_code == 0
    said, read = [("said", number) for number in range(5)], [("read", number) for number in range(5)]
    assert seen == [*read[:2], *said[:2], *read[2:4], *said[2:4], read[4], said[4]]


@pytest.mark.parametrize(
    ("negative", "unsafe", "forbidden"),
    [("blurry", False, False), ("clothes", True, False), ("", False, False)],
)
def test_a_negative_prompt_is_judged_with_its_prompt(
    tiny_model_path: str, negative: str, unsafe: bool, forbidden: bool
) -> None:
    verdict = json.loads(check(tiny_model_path, "a dog in a forest", "--negative-prompt", negative, "--json").stdout)
    assert (verdict["unsafe"], verdict["forbidden"]) == (unsafe, forbidden)
    assert ("the negative prompt pushes away what keeps the picture safe" in verdict["remarks"]) == unsafe
    assert verdict["engaged_by"] == (["NegativePrompt"] if unsafe else [])


def test_a_pair_that_is_drawn_at_no_level_is_forbidden(tiny_model_path: str) -> None:
    result = check(tiny_model_path, "a child on a beach", "--negative-prompt", "clothes", "--json")
    verdict = json.loads(result.stdout)
    assert verdict["unsafe"] and verdict["forbidden"]
    told = check(tiny_model_path, "a child on a beach", "--negative-prompt", "clothes").stdout
    assert "forbidden: refused at every level of safety" in told


def test_help_names_the_classifier() -> None:
    assert "the prompt classifier" in " ".join(CliRunner().invoke(app, ["check", "--help"]).stdout.split())


@pytest.mark.parametrize("prompt", ["", "a cat \udcff in a room"])
def test_a_prompt_alone_that_cannot_be_judged_exits_2(tiny_model_path: str, prompt: str) -> None:
    result = check(tiny_model_path, prompt, "--json")
    assert result.exit_code == 2 and result.stderr.startswith("counterpoint: prompt: got ")
    (said,) = map(json.loads, result.stdout.splitlines())
    assert said["line"] == 1 and "cat" not in said["error"]


def test_a_negative_prompt_that_cannot_be_read_is_an_error(tiny_model_path: str) -> None:
    result = check(tiny_model_path, "a dog", "--negative-prompt", " ")
    assert result.exit_code == 2 and result.stderr.startswith("counterpoint: negative_prompt:")


def test_a_text_in_endless_wrappings_is_refused(tiny_model_path: str) -> None:
    result = check(tiny_model_path, "&" + "amp;" * 50)
    assert result.exit_code == 2 and "Traceback" not in result.stderr
