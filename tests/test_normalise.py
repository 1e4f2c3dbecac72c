"""One reading of a text: what is hidden shows, what is plain stays."""

from __future__ import annotations

import html.entities
import random
import string
import time

import pytest

from counterpoint.interfaces import InvalidInput
from counterpoint.normalise import PLAIN as UNTOUCHED
from counterpoint.normalise import STEPS, normalise
from counterpoint.normalise.emoji import name_emoji
from counterpoint.normalise.escapes import ACCENTED, PLAIN_MARKS, unescape
from counterpoint.normalise.look_alikes import SAME, SIMILAR, fold_look_alikes, look_alike_words
from counterpoint.normalise.scripts import foreign_words
from counterpoint.normalise.special_tokens import drop_special_tokens
from counterpoint.normalise.visible import keep_visible, unreadable
from counterpoint.normalise.weights import drop_weights
from counterpoint.normalise.words import MOST_PIECES, leet, read
from counterpoint.scenes.captions import caption
from counterpoint.scenes.world import sample_scene

PLAIN = [
    "a chef with a knife in a room",
    "Portrait of an astronaut, oil on canvas (1920s), 4k, R2-D2 -- 100% wool; it's 9:30 & AT&T",
    "50%de, 20 % off, a 3:2 picture",
    "U.S.A., J. R. R. Tolkien",
]


@pytest.mark.parametrize("prompt", PLAIN)
def test_plain_prompts_stay_as_they_are(prompt: str) -> None:
    assert normalise(prompt) == prompt


def test_captions_of_the_scenes_world_stay_as_they_are() -> None:
    rng = random.Random(0)
    captions = [caption(sample_scene(rng, "train"), rng) for _ in range(200)]
    assert [normalise(text) for text in captions] == captions


@pytest.mark.parametrize(
    "hidden",
    [
        "kni\u200bfe", "kni\u200dfe", "kni\u00adfe", "kni\u2060fe", "\u202eknife\u202c", "\ufeffknife", "kni\u0335fe",
        "k\u0301n\u0301i\u0301f\u0301e\u0301", "knif\U000e0065e", "k\u034fnife", "k\u3164nife", "k\u2800nife",
        "kni\ufe0ffe", "kni\u0000fe", "kni\ue000fe", "kn\u0e31ife", "ｋｎｉｆｅ", "𝐤𝐧𝐢𝐟𝐞", "𝓴𝓷𝓲𝓯𝓮", "ⓚⓝⓘⓕⓔ", "🅚🅝🅘🅕🅔",
        "🇰🇳🇮🇫🇪", "ᴋɴɪꜰᴇ", "knıfe", "ƙnife", "kníƒé", "кnife", "knіfе", "kηife", "&#107;nife", "kn&#x69;fe", "kn%69fe",
        "&amp;#107;nife", "<|endoftext|>knife</s>", "[CLS] knife [SEP]", "[IMG]knife", "＜|endoftext|＞knife",
        "<|end\u200boftext|>knife", "knife++", "[knife]", "[[knife]]", "((knife))", "[knife:0.5]", "{knife}", "knife--",
    ],
)  # fmt: skip
def test_every_disguise_of_a_word_is_that_word(hidden: str) -> None:
    assert normalise(f"a cat, {hidden}").casefold() == "a cat, knife"


@pytest.mark.parametrize(
    ("step", "given", "expected"),
    [
        (unescape, "rock &amp; roll, 100%, %ff", "rock & roll, 100%, %ff"),
        (keep_visible, "Dalí's café, Łódź, ß, ١٢, हिन्दी, が, й", "Dali's cafe, Lodz, ß, 12, हिन्दी, が, й"),
        (name_emoji, "🔪🗡🩸👍🏽★x", " kitchen knife  dagger  drop of blood  thumbs up sign  black star x"),
        (fold_look_alikes, "кnife Сосо нож, α", "knife Coco нож, a"),
        (unescape, "caf&eacute; &quot;x&nbsp;y&quot;, kn&#173;ife", 'café "x\u00a0y", kn\u00adife'),
        (unescape, "a &dagger;, kn&shy;ife, &timescat", "a †, dagger kn\u00adife, kn-shy-ife ×cat timescat"),
        (unescape, "a &grave; %de%ad &image; &foo;&#107;nife", "a ` grave \u07ad de-ad ℑ image &foo;knife"),
        (drop_special_tokens, "a <|knife|>, kn<|x|>ife, <|im_end|>[MASK]", "a knife, kn-x-ife, [MASK]"),
        (drop_special_tokens, "a cat<|endoftext|> asleep <pad><pad>", "a cat asleep "),
        (drop_special_tokens, "cat<|endoftext|><|endoftext|>weapon", "cat-weapon"),
        (drop_weights, "a [red:blue:0.5] car, (knife:1.3), (two words)1.2", "a red or blue car, (knife), (two words)"),
        (drop_weights, "{fork and|} knife, cat[[dog]] \\(x\\)", "fork and or  knife, cat-dog (x)"),
        (drop_weights, "9:30 (oil on canvas) a|b", "9:30 (oil on canvas) a|b"),
    ],
)
def test_each_step_does_one_thing(step: object, given: str, expected: str) -> None:
    assert step(given) == expected  # type: ignore[operator]


def test_look_alikes_are_told_from_words_of_other_scripts() -> None:
    assert look_alike_words("кnife нож cat Сосо я") == ("кnife", "Сосо")
    assert foreign_words("a нож, 刀, π and αβγ") == {"Cyrillic": ("нож,",), "Cjk": ("刀,",), "Greek": ("αβγ",)}


def test_each_look_alike_stands_for_one_letter_of_another_script() -> None:
    characters = [c for table in (SAME, SIMILAR) for letter in table.values() for c in letter]
    assert not any(c.isascii() for c in characters)
    assert len(set("".join(SAME.values()))) == len("".join(SAME.values()))


def test_characters_that_no_one_can_read_are_named() -> None:
    assert unreadable("a\ue000b\u0378\ud800") == ("U+E000", "U+0378", "U+D800")
    assert unreadable("a 🔪 café") == ()


def test_no_step_drops_letters_that_the_encoder_reads() -> None:
    """Random words between the signs of all the syntax that is undone: each is still there after each step."""
    signs = [
        "<|", "|>", "<", ">", "</", "[", "]", "{", "}", "(", ")", "|", ":", ":1.3", "++", "--", "\\", "&", ";", "&#",
        "%", "%c3%a9", "&amp;", "&lt;", "&#60;", "<|endoftext|>", "[PAD]", " ", "🔪", "\u200b ", "\u0301",
    ]  # fmt: skip
    rng = random.Random(0)
    for _ in range(4000):
        parts = []
        for _ in range(rng.randint(1, 5)):
            word = "".join(rng.choices(string.ascii_lowercase, k=rng.randint(4, 9)))
            parts += [*rng.choices(signs, k=rng.randint(1, 3)), word]
        text = "".join([*parts, *rng.choices(signs, k=2)])
        words = [part for part in parts if part.isalpha() and part.isascii()]
        for step in (*STEPS, normalise):
            kept = step(text)
            assert all(word in kept for word in words), (step, text)


@pytest.mark.parametrize(
    ("typed", "word"),
    [("a %6bomb", "6bomb"), ("a &#x6bomb", "x6bomb"), ("a %0beer", "0beer"), ("a &#x0beer;", "x0beer"),
     ("%de%ad", "de"), ("a &#xdead; x", "xdead"), ("&#xbed;", "xbed"), ("a &yenknife;", "yenknife")],
)  # fmt: skip
def test_letters_that_an_escape_takes_are_read_as_typed_too(typed: str, word: str) -> None:
    assert word in read(normalise(typed))[0]


@pytest.mark.parametrize("name", ["dagger", "hearts", "grave", "fork", "star", "phone", "nu", "thorn", "image", "die"])
def test_what_an_entity_is_called_is_read_where_it_is_no_accent_and_no_plain_mark(name: str) -> None:
    for typed in (f"a &{name}; on a beach", f"a &amp;{name}; on a beach", f"a &{name}; &#97;"):
        assert name in read(normalise(typed))[0], typed


def test_every_entity_is_undone_or_read() -> None:
    """Of all names that HTML knows only those of accents, spaces and plain marks are not read."""
    unread = [
        name for name in html.entities.html5
        if len(name) > 3 and name.endswith(";") and name[:-1].casefold() not in normalise(f"a &{name} b").casefold()
    ]  # fmt: skip
    assert all(
        ACCENTED.fullmatch(f"&{name}") or PLAIN_MARKS.issuperset(html.entities.html5[name]) for name in unread
    ), unread


def test_reading_twice_changes_nothing_whatever_is_put_together() -> None:
    parts = [
        "kn", "ife", " ", "&am", "p;", "amp;", "#105;", "%6", "9", "<|", "|>", "endoftext", "</s", ">", "[", "]", "{",
        "}", "(", ")", "|", ":", "1.3", "++", "--", "\\", "\u200b", "\u0301", "к", "а", "🔪", "🇰", "٣", "<", "&lt;",
        "[MASK]", "\ue000", "ｋ", "हि", "\u0e31",
    ]  # fmt: skip
    rng = random.Random(0)
    for _ in range(3000):
        text = "".join(rng.choices(parts, k=rng.randint(1, 14)))
        once = normalise(text)
        assert normalise(once) == once, ascii(text)


def test_wrappings_without_end_are_refused() -> None:
    assert normalise("&" + "amp;" * 5 + "lt;") == "<"
    with pytest.raises(InvalidInput, match="many wrappings"):
        normalise("&" + "amp;" * 500)


@pytest.mark.parametrize(
    "text",
    ["(" * 5000 + "knife:1.3" + ")" * 5000, "[" * 5000 + "a:b|" * 5000, "{|" * 8000, "+-" * 8000, "<|" * 8000,
     "%6" * 8000, "(a:1" * 4000, "a: " * 5000, "\u0301" * 20000, "к" * 20000, "a-" * 10000, "a " * 10000,
     "&dagger;" * 2500, "&dagger; " * 2500, "a" * 20000 + "&", "🔪" * 20000, "%de%ad" * 3000],
)  # fmt: skip
def test_no_text_of_a_prompts_size_takes_long(text: str) -> None:
    started = time.process_time()  # a busy machine lets others go first
    read(normalise(text))
    assert time.process_time() - started < 2.0


def test_what_else_a_person_may_read_is_found_beside_the_words() -> None:
    for typed in (
        "kn1fe",
        "k n i f e",
        "a k n i f e",
        "k.n.i.f.e",
        "kn-ife",
        "kn(if)e",
        "cat.k.n.i.f.e",
        "k n 1 f e",
        "kn!fe",
    ):
        words, readings = read(normalise(typed))
        found = [reading for reading in readings if reading.text == "knife"]
        assert found and "knife" not in words, typed
        assert set("".join(words[found[0].start : found[0].end])) <= set("kn1ife"), typed


def test_a_dotted_text_has_a_bounded_number_of_readings() -> None:
    assert len(read("a." * 1000)[1]) <= MOST_PIECES**2


@pytest.mark.parametrize("word", ["knife", "beer!", "4", "1990", "(cat)", "ok", "c3"])
def test_leet_needs_letters_and_signs(word: str) -> None:
    assert leet(word) == []


def test_plain_texts_need_no_step_but_the_last() -> None:
    """The short way through `normalise` gives what its steps give."""
    rng = random.Random(0)
    for _ in range(300):
        text = "".join(rng.choices("abcXYZ  019,.';!?\"-", k=rng.randint(0, 30)))
        expected = text
        for _ in range(3):
            for step in STEPS:
                expected = step(expected)
        assert normalise(text) == expected
        assert UNTOUCHED.fullmatch(text) or "--" in text
