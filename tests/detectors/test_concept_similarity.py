"""The first gate, on a text space in which meaning is exact: one axis a word."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from counterpoint.detectors.concept_similarity import ConceptSimilarity, best_apart, fit_threshold, windows
from counterpoint.detectors.concepts import DEFAULT_CONCEPTS
from counterpoint.interfaces import InvalidInput
from counterpoint.scenes.vocabulary import OBJECTS, UNSAFE_OBJECTS

AXES = {"knife": 0, "blade": 0, "cat": 1, "beach": 2, "gun": 3}
CONCEPTS = {"violence": ("knife", "gun"), "other": ("zombie",)}


class WordSpace:
    """Words are axes, a text is the normalised sum of its words; unknown words share one axis."""

    def pooled(self, texts: Sequence[str]) -> Tensor:
        rows = torch.zeros(len(texts), 6)
        for row, text in zip(rows, texts, strict=True):
            for word in text.split():
                row[AXES.get(word, 5 if word == "zombie" else 4)] += 1
        return torch.nn.functional.normalize(rows, dim=-1)


def gate(threshold: float = 0.9) -> ConceptSimilarity:
    return ConceptSimilarity(WordSpace(), threshold=threshold, concepts=CONCEPTS, harmless=())


def test_a_concept_and_its_synonym_engage_and_are_named() -> None:
    for prompt in ("a cat with a knife on the beach", "A cat, BLADE!", "cat \uff4b\uff4e\uff49\uff46\uff45"):
        (found,) = gate()([prompt])
        assert found.is_unsafe and found.score == pytest.approx(1.0)
        assert found.categories["violence"] > 0.9 > found.categories["other"]
        assert found.evidence


@pytest.mark.parametrize(
    "word", ["kni\u200bfe", "kni\u00adfe", "kni\u0335fe", "k\u2060nife", "k.n.i.f.e", "kn-ife", "k n i f e", "KNIFE"]
)
def test_a_word_written_so_that_a_person_still_reads_it_engages(word: str) -> None:
    assert gate()([f"a cat with a {word}"])[0].is_unsafe


def test_a_harmless_prompt_does_not_engage() -> None:
    (found,) = gate()(["a cat on the beach"])
    assert not found.is_unsafe and not found.evidence


def test_a_prompt_without_words_engages() -> None:
    assert gate()(["..."])[0].is_unsafe


def test_each_prompt_of_a_list_gets_its_own_verdict() -> None:
    prompts = ["a cat", "a gun", "..."]
    assert gate()(prompts) == [gate()([prompt])[0] for prompt in prompts]
    assert [found.is_unsafe for found in gate()(prompts)] == [False, True, True]


def test_nan_from_the_encoder_is_an_error() -> None:
    class Broken(WordSpace):
        def pooled(self, texts: Sequence[str]) -> Tensor:
            return super().pooled(texts) * (float("nan") if "cat" in texts else 1.0)

    with pytest.raises(RuntimeError, match="not finite"):
        ConceptSimilarity(Broken(), threshold=0.9, concepts=CONCEPTS)(["cat"])


def test_the_fitted_threshold_separates_what_can_be_separated() -> None:
    fit = fit_threshold(
        WordSpace(), ["a knife", "a cat with a gun"], ["a cat", "the beach"], concepts=CONCEPTS, harmless=()
    )
    assert (fit.recall, fit.false_alarms, fit.num_unsafe, fit.num_benign) == (1.0, 0.0, 2, 2)
    assert 0.0 < fit.threshold < 1.0


def test_the_fitted_threshold_lies_above_benign_scores_that_tie() -> None:
    """A score of 0.7071 twice, but for rounding: neither a gap to fit into, nor one to alarm at."""

    class Rounded(WordSpace):
        def pooled(self, texts: Sequence[str]) -> Tensor:
            rows = super().pooled(texts)
            rows[[i for i, text in enumerate(texts) if text == "half"]] = torch.tensor([1.0, 1, 0, 0, 0, 0]) / 2**0.5
            rows[[i for i, text in enumerate(texts) if text == "again"]] = torch.tensor([1.0, 1, 0, 0, 0, 0]) / 1.41421
            return rows

    fit = fit_threshold(Rounded(), ["again", "knife"], ["half", "half"], concepts=CONCEPTS, harmless=())
    assert (fit.recall, fit.false_alarms) == (0.5, 0.0) and fit.threshold > 0.7072
    hopeless = fit_threshold(WordSpace(), ["knife"], ["blade"], concepts=CONCEPTS, harmless=())
    assert hopeless.threshold == 1.0 and hopeless.false_alarms == 1.0


def test_bad_settings_are_refused() -> None:
    with pytest.raises(InvalidInput, match="threshold"):
        gate(1.5)
    with pytest.raises(InvalidInput, match="concepts"):
        ConceptSimilarity(WordSpace(), threshold=0.5, concepts={})
    with pytest.raises(InvalidInput, match="prompts"):
        fit_threshold(WordSpace(), [], ["a cat"])


def test_windows_have_one_to_three_words_and_content_words_at_both_ends() -> None:
    assert [w.text for w in windows("a cat")] == ["cat"]
    assert [w.text for w in windows("a mug of beer")] == ["mug", "beer", "mug of beer"]


def test_an_unsafe_word_inside_a_harmless_phrase_does_not_engage_but_one_beside_it_does() -> None:
    class Phrases(WordSpace):
        def pooled(self, texts: Sequence[str]) -> Tensor:
            rows = super().pooled(texts)
            rows[[i for i, text in enumerate(texts) if text == "fork and knife"]] = torch.eye(6)[2]
            return rows

    guard = ConceptSimilarity(Phrases(), threshold=0.9, concepts=CONCEPTS, harmless=["fork and knife"])
    prompts = [
        "a cat with a fork and knife",
        "a cat with a fork and knife and a knife",
        "fork and knife",
        "fork, and knife",
    ]
    assert [detection.is_unsafe for detection in guard(prompts)] == [False, True, False, True]


@pytest.mark.parametrize(("typed", "evidence"), [("k n i f e", "k n i f e"), ("kn-ife", "kn ife"), ("BLADE", "blade")])
def test_evidence_is_the_words_as_they_stand_in_the_prompt(typed: str, evidence: str) -> None:
    assert gate()([f"a cat with a {typed}"])[0].evidence == (evidence,)


def test_own_concepts_join_the_others() -> None:
    guard = ConceptSimilarity(
        WordSpace(),
        threshold=0.9,
        concepts=CONCEPTS,
        extra_concepts={"places": ["beach"], "other": ["cat"]},
        harmless=(),
    )
    found = guard(["a gun", "on the beach", "a cat"])
    assert all(verdict.is_unsafe for verdict in found)
    assert found[1].categories["places"] == pytest.approx(1.0) and found[2].categories["other"] == pytest.approx(1.0)
    assert not gate()(["a cat on the beach"])[0].is_unsafe


def test_evidence_is_the_best_windows_apart() -> None:
    found = windows("man with mug of beer and gun")
    score = {"beer": 1.0, "mug of beer": 1.0, "man with mug": 0.9, "beer and gun": 0.95, "gun": 0.9}
    assert best_apart([(w, score[w.text]) for w in found if w.text in score]) == ("mug of beer", "gun")


def test_every_unsafe_word_of_the_scenes_world_is_a_concept_in_its_category() -> None:
    for name in UNSAFE_OBJECTS:
        thing = OBJECTS[name]
        assert thing.category is not None
        words = DEFAULT_CONCEPTS[thing.category]
        assert name in words, name


def test_the_encoder_reads_each_window_once() -> None:
    """A second look at the same prompt asks the encoder nothing and says the same."""
    space = WordSpace()
    similarity = ConceptSimilarity(space, threshold=0.9)
    first = similarity(["a man with a knife on a beach"])
    asked: list[str] = []
    space.pooled = lambda texts: asked.extend(texts) or WordSpace().pooled(texts)  # type: ignore
    assert similarity(["a man with a knife on a beach"]) == first and not asked
    similarity(["a man with a knife on a boat"])
    assert asked and "man" not in asked and all("boat" in text for text in asked)
