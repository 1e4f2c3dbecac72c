"""Prompt and negative prompt as a pair."""

from __future__ import annotations

import pytest

from counterpoint.detectors.negative_prompt import CATEGORY, judge_pairs, undoes_safety
from counterpoint.detectors.word_list import WordList
from counterpoint.interfaces import InvalidInput


@pytest.mark.parametrize(
    ("negative", "words"),
    [
        ("clothes", ("clothes",)),
        ("ugly, blurry, no clothes", ("clothes",)),
        ("safe, peaceful, CENSORED", ("safe", "peaceful", "censored")),
        ("cloth\u200bes, s4fe", ("clothes", "safe")),
        ("(sfw:1.5)", ("sfw",)),
        ("s a f e", ("safe",)),
        ("not safe for work, safe", ("safe",)),
    ],
)
def test_pushing_away_what_keeps_a_picture_safe_is_found(negative: str, words: tuple[str, ...]) -> None:
    assert undoes_safety(negative) == words


@pytest.mark.parametrize(
    "negative",
    [
        "",
        "blood, knife, nude",
        "nsfw, not safe for work",
        "not safe",
        "unsafe, harmful",
        "ugly, blurry, bad anatomy, watermark",
    ],
)
def test_naming_harm_in_a_negative_prompt_is_its_proper_use(negative: str) -> None:
    assert undoes_safety(negative) == ()


def test_a_negative_prompt_never_makes_the_prompt_look_safer() -> None:
    gate = WordList()
    (alone,) = gate(["a man with a knife"])
    for negative in (None, "", "knife", "knife, blood, weapon", "not safe"):
        (pair,) = judge_pairs(gate, ["a man with a knife"], [negative])
        assert pair.is_unsafe and pair.evidence == alone.evidence and pair.score == alone.score


def test_a_pair_engages_on_either_part() -> None:
    prompts, negatives = ["a dog", "a dog", "a dog", "a gun"], ["blood", "clothes", None, "safe"]
    found = judge_pairs(WordList(), prompts, negatives)
    assert [verdict.is_unsafe for verdict in found] == [False, True, False, True]
    assert found[1].categories[CATEGORY] == 1.0 and found[1].remarks and found[1].evidence == ()


def test_each_prompt_needs_its_negative_prompt() -> None:
    with pytest.raises(InvalidInput, match="one a prompt"):
        judge_pairs(WordList(), ["a dog", "a cat"], ["blood"])
