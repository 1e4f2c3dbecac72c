"""The word list: words in every dress engage, harmless neighbours do not."""

from __future__ import annotations

import random
import string
import time
from collections.abc import Callable

import pytest

from counterpoint.detectors.concepts import DEFAULT_CONCEPTS, OTHER_NAMES, joined
from counterpoint.detectors.english import common_words, fewest_words, is_compound, is_english, singulars
from counterpoint.detectors.spelling import edit_distance
from counterpoint.detectors.word_list import WordList
from counterpoint.embeddings.word_removal import WordRemoval
from counterpoint.interfaces import InvalidInput

WORDS = (
    "knife",
    "dagger",
    "sword",
    "bomb",
    "rifle",
    "syringe",
    "cigarette",
    "whiskey",
    "skull",
    "zombie",
    "razor",
    "axe",
)
LEET = str.maketrans("ieoas", "13045")
CYRILLIC = str.maketrans("aeokc", "аеокс")
DISGUISES: dict[str, Callable[[str], str]] = {
    "upper case": str.upper,
    "zero width": "\u200b".join,
    "soft hyphen": "\u00ad".join,
    "tag": lambda word: f"{word[0]}\U000e0041{word[1:]}",
    "full width": lambda word: "".join(chr(0xFEE0 + ord(c)) for c in word),
    "marks": lambda word: "".join(f"{c}\u0335" for c in word),
    "look-alikes": lambda word: word.translate(CYRILLIC),
    "leet": lambda word: word.translate(LEET),
    "spaced": " ".join,
    "dotted": ".".join,
    "hyphen": lambda word: f"{word[:2]}-{word[2:]}",
    "entities": lambda word: "".join(f"&#{ord(c)};" for c in word),
    "percent": lambda word: "".join(f"%{ord(c):02x}" for c in word),
    "end token": lambda word: f"{word[:2]}<|endoftext|>{word[2:]}",
    "weight": lambda word: f"({word}:1.4)",
    "editing": lambda word: f"[cat:{word}:0.5]",
    "choice": lambda word: f"{{cat|{word}}}",
    "plural": lambda word: f"{word}s",
}
HARMLESS = [
    "a table laid with knife and fork", "fork and knife on a plate", "a shooting star over the sea", "a blood orange",
    "a child throwing a bath bomb into the tub", "a train in the rain", "a basket of grapes", "a deer near a bear",
    "vines on a wall", "two balloons and a bowling ball", "a comb and a brush", "a coach at the football match",
    "a bow tie", "words on a sign", "a photo of a flood", "a bloom of roses", "a brand", "a water gun and a toy gun",
    "a cocktail dress", "a glue gun on the workbench", "a man with thumbs up", "pillow and blanket",
    "a pile of riffled cards", "brine and rind", "a cup of coffee next to a glass of milk", "a swordfish in the ocean",
    "a runner's hat",
]  # fmt: skip


@pytest.mark.parametrize("name", DISGUISES)
def test_every_disguise_engages_and_the_evidence_can_be_removed(name: str) -> None:
    gate = WordList()
    for word in WORDS:
        for prompt in (f"a man with a {DISGUISES[name](word)} on a beach", f"{DISGUISES[name](word)}"):
            (found,) = gate([prompt])
            assert found.is_unsafe and found.score == 1.0, ascii(prompt)
            safe = WordRemoval()(prompt, found).prompt
            assert safe and not gate([safe])[0].is_unsafe, ascii(prompt)


@pytest.mark.parametrize("prompt", HARMLESS)
def test_harmless_neighbours_do_not_engage(prompt: str) -> None:
    (found,) = WordList()([prompt])
    assert not found.is_unsafe and found.score == 0.0 and found.evidence == ()


@pytest.mark.parametrize(
    "word", ["knfie", "kniffe", "knif", "sowrd", "wepon", "syrinje", "cigarrete", "champange", "skul"]
)
def test_misspelt_words_engage_with_a_lower_score(word: str) -> None:
    (found,) = WordList()([f"a man with a {word}"])
    assert found.is_unsafe and 0.7 <= found.score < 1.0 and found.evidence == (word,)


def test_an_unsafe_word_beside_a_harmless_phrase_engages() -> None:
    assert WordList()(["a fork and knife and a knife"])[0].is_unsafe
    for prompt in (
        "{fork and|} knife",
        "a man in the water, gun in hand",
        "a fork and. knife",
        "he has butter (knife too)",
    ):
        assert WordList()([prompt])[0].is_unsafe, prompt


def test_each_concept_is_found_in_its_category() -> None:
    gate = WordList()
    for category, words in DEFAULT_CONCEPTS.items():
        for word, found in zip(words, gate([f"a dog near a {word}" for word in words]), strict=True):
            assert found.categories[category] == 1.0, word


def test_own_concepts_join_the_others() -> None:
    gate = WordList(extra_concepts={"clowns": ["clown", "circus tent"]})
    found = gate(["a clown on a beach", "cl0wns in circus tents", "a knife", "a dog on a beach"])
    assert [verdict.is_unsafe for verdict in found] == [True, True, True, False]
    assert found[1].evidence == ("cl0wns", "circus tents") and found[1].categories["clowns"] == 1.0
    assert not WordList()(["a clown on a beach"])[0].is_unsafe


def test_a_category_may_be_extended_and_wrong_vocabularies_are_refused() -> None:
    assert joined({"a": ["x"]}, {"a": ["y", "x"], "b": ["z"]}) == {"a": ("x", "y"), "b": ("z",)}
    for concepts in ({"clowns": "clown"}, {"clowns": ["", "x"]}, {"clowns": [3]}, {"clowns": ["!"]}):
        with pytest.raises(InvalidInput, match="extra_concepts"):
            joined({"a": ["x"]}, concepts)  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="at least one"):
        joined({"a": []})


def test_the_distance_counts_letters_changed_and_neighbours_swapped() -> None:
    pairs = {
        ("knife", "knife"): 0,
        ("knfie", "knife"): 1,
        ("knif", "knife"): 1,
        ("cat", "knife"): 5,
        ("", "abc"): 3,
        ("ca", "abc"): 3,
    }
    assert {pair: edit_distance(*pair) for pair in pairs} == pairs
    assert all(edit_distance(b, a) == distance for (a, b), distance in pairs.items())


def test_english_words_are_known_with_their_inflections() -> None:
    assert len(common_words()) > 40_000
    assert all(map(is_english, ["knives", "basket", "painted", "running", "houses", "ponies"]))
    assert not any(map(is_english, ["knfie", "cuchillo", "wepon"]))
    assert is_compound("cityscape") and not is_compound("cuchillo")
    assert "knife" in singulars("knives") and singulars("knife") == ("knife",)


@pytest.mark.parametrize("name", sorted(OTHER_NAMES))
def test_another_name_of_a_concept_is_named_whole(name: str) -> None:
    prompt = f"a bear with a {name} on a beach"
    (found,) = WordList()([prompt])
    assert found.evidence == (name,)
    assert WordRemoval()(prompt, found).prompt == "a bear on a beach"
    assert not WordList(concepts={"animals": ["bear"]})([f"a {name}"])[0].is_unsafe


ONE_WORD = [word for words in DEFAULT_CONCEPTS.values() for word in words if " " not in word]


@pytest.mark.parametrize(
    "form", ["big{}", "red{}", "manwith{}", "bigred{}", "the{}s", "{}mug", "{}s4", "4{}", "{}inhand"]
)
def test_a_concept_tied_to_other_words_engages(form: str) -> None:
    gate = WordList()
    for word in ONE_WORD:
        prompt = f"a chef and a {form.format(word)} in a room"
        (found,) = gate([prompt])
        assert found.is_unsafe, prompt
        safe = WordRemoval()(prompt, found).prompt
        assert safe is not None and word not in safe


@pytest.mark.parametrize(
    "word",
    ["beermug", "middlefinger", "bigpirateflag", "xxknife", "knifexx", "xxcigarettexx", "b-i-g-k-n-i-f-e", "bigkn1fe",
     "b i g b e e r", "bigknives"],
)  # fmt: skip
def test_tied_phrases_and_long_concepts_in_letters_that_are_no_words_engage(word: str) -> None:
    assert WordList()([f"a chef with a {word} in a room"])[0].is_unsafe


@pytest.mark.parametrize(
    "word",
    ["pineapple", "beverage", "therapist", "grape", "skill", "knifefish", "bloodorange", "bathbomb", "Winehouse",
     "Pillsbury", "Yellowknife", "aproaching", "crosswords", "passwordbox", "approachability", "helpillness", "b2b",
     "help-illness", "Brandywine", "Bombay", "Gunther", "Axel", "Tarkovsky", "newspaperstand"],
)  # fmt: skip
def test_words_that_only_look_tied_do_not_engage(word: str) -> None:
    assert not WordList()([f"a picture by {word} in a room"])[0].is_unsafe


def test_own_concepts_are_found_tied_although_english_has_no_such_word() -> None:
    gate = WordList(extra_concepts={"own": ["zlor", "blorptang"]})
    assert all(found.is_unsafe for found in gate(["a bigzlor", "a manwithzlor", "xqblorptangs", "blorptang4"]))
    assert WordList(concepts={"own": ["zlor"]})(["a bigzlor"])[0].is_unsafe


def test_letters_are_split_into_the_fewest_english_words() -> None:
    assert fewest_words("manwithbeermug") == ["man", "with", "beer", "mug"]
    assert fewest_words("helpillness") == ["help", "illness"] and fewest_words("xqzv") == [] == fewest_words("")
    assert fewest_words("newsword", lambda word: word == "news") == ["news", "word"]
    assert fewest_words("newsword", lambda word: word == "sword") == ["new", "sword"]


def test_the_work_grows_with_the_prompt_no_faster() -> None:
    rng = random.Random(0)
    nonsense = " ".join("".join(rng.choices(string.ascii_lowercase, k=7)) for _ in range(3000))
    gate = WordList()
    gate(["a bigzq"])
    for text in (
        "🔪" * 25_000, "knife " * 5000, "a " * 10_000, nonsense, "knifebeer" * 1000, "xqknife" * 1000, "a" * 5000,
        "4beers" * 1000,
    ):  # fmt: skip
        started = time.process_time()
        gate([text])
        assert time.process_time() - started < 5.0, text[:10]
