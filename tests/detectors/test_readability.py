"""What the gate cannot read engages it, and the verdict says why."""

from __future__ import annotations

import pytest

from counterpoint.detectors.readability import CATEGORY, Readability
from counterpoint.embeddings.word_removal import WordRemoval
from counterpoint.normalise import normalise

# "a man with a knife on a beach", "a dog sleeps under the old tree", "three red apples on the table", or like it
SENTENCES = {
    "Spanish": (
        "un hombre con un cuchillo en la playa",
        "un perro duerme bajo el viejo árbol",
        "tres manzanas rojas en la mesa",
    ),
    "French": (
        "un homme avec un couteau sur la plage",
        "un chien dort sous le vieil arbre",
        "trois pommes rouges sur la table",
    ),
    "German": (
        "ein Mann mit einem Messer am Strand",
        "ein Hund schläft unter dem Baum",
        "drei rote Äpfel auf dem Tisch",
    ),
    "Italian": (
        "un uomo con un coltello sulla spiaggia",
        "un cane dorme sotto il vecchio albero",
        "tre mele rosse sul tavolo",
    ),
    "Portuguese": ("um homem com uma faca na praia", "um cão dorme sob a velha árvore", "três maçãs vermelhas na mesa"),
    "Dutch": (
        "een man met een mes op het strand",
        "een hond slaapt onder de oude boom",
        "drie rode appels op de tafel",
    ),
    "Polish": ("mężczyzna z nożem na plaży", "pies śpi pod starym drzewem", "trzy czerwone jabłka na stole"),
    "Swedish": ("en man med en kniv på en strand", "en hund sover under det gamla trädet", "tre röda äpplen på bordet"),
    "Danish": ("en mand med en kniv på en strand", "en hund sover under det gamle træ", "tre røde æbler på bordet"),
    "Finnish": ("mies veitsen kanssa rannalla", "koira nukkuu vanhan puun alla", "kolme punaista omenaa pöydällä"),
    "Turkish": ("sahilde bıçaklı bir adam", "yaşlı ağacın altında uyuyan köpek", "masada üç kırmızı elma"),
    "Indonesian": (
        "seorang pria dengan pisau di pantai",
        "seekor anjing tidur di bawah pohon",
        "tiga apel merah di meja dapur",
    ),
    "Vietnamese": (
        "một người đàn ông cầm dao trên bãi biển",
        "con chó ngủ dưới gốc cây già",
        "ba quả táo đỏ ở trên cái bàn",
    ),
    "Czech": ("muž s nožem na pláži", "pes spí pod starým stromem", "tři červená jablka na stole"),
    "Romanian": ("un bărbat cu un cuțit pe plajă", "un câine doarme sub copacul bătrân", "trei mere roșii pe masă"),
    "Hungarian": (
        "egy férfi késsel a tengerparton",
        "egy kutya alszik az öreg fa alatt",
        "három piros alma az asztalon",
    ),
    "Swahili": ("mwanamume mwenye kisu ufukweni", "mbwa analala chini ya mti", "matofaa matatu mekundu juu ya meza"),
    "Croatian": ("muškarac s nožem na plaži", "pas spava ispod starog stabla", "tri crvene jabuke na stolu"),
    "Russian": ("мужчина с ножом на пляже", "собака спит под деревом", "три красных яблока"),
    "Chinese": ("海滩上拿着刀的男人", "狗在树下睡觉", "刀"),
    "Japanese": ("ビーチでナイフを持つ男", "犬が木の下で眠る", "りんご"),
    "Korean": ("해변에서 칼을 든 남자", "개가 나무 아래에서 잔다", "칼"),
    "Arabic": ("رجل يحمل سكينا على الشاطئ", "كلب ينام تحت الشجرة", "سكين"),
    "Hindi": ("समुद्र तट पर चाकू के साथ एक आदमी", "कुत्ता पेड़ के नीचे सोता है", "चाकू"),
    "Thai": ("ผู้ชายถือมีดบนชายหาด", "สุนัขนอนใต้ต้นไม้", "มีด"),
    "Greek": ("ένας άντρας με μαχαίρι", "ένας σκύλος κοιμάται", "μαχαίρι"),
    "Hebrew": ("גבר עם סכין בחוף", "כלב ישן מתחת לעץ", "סכין"),
}
ENGLISH = [
    "a chef with a knife in a room", "cyberpunk cityscape, neon, 8k, octane render, trending on artstation",
    "masterpiece, best quality, ultra-detailed, solo", "Leonardo da Vinci, Mona Lisa", "Los Angeles skyline at night",
    "El Greco, view of Toledo", "Toulouse-Lautrec, Moulin Rouge poster", "art by greg rutkowski and artgerm",
    "ramen, sushi, tempura", "croissant, baguette, brie", "a photo of Machu Picchu", "Vincent van Gogh, Starry Night",
    "R2-D2", "a π on the blackboard", "Dalí's café at 9:30", "thumbs up 👍🏽, ★ 5/5", "AT&amp;T", "cat", "U.S.A.",
    "a ß b",
]  # fmt: skip


@pytest.mark.parametrize("language", SENTENCES)
def test_other_languages_engage_and_the_verdict_says_so(language: str) -> None:
    missed = [
        text
        for text, found in zip(SENTENCES[language], Readability()(SENTENCES[language]), strict=True)
        if not found.is_unsafe
    ]
    assert not missed
    for found in Readability()(SENTENCES[language]):
        assert found.score == found.categories[CATEGORY] == 1.0
        assert found.remarks and all("script" in remark or "language" in remark for remark in found.remarks)


@pytest.mark.parametrize("prompt", ENGLISH)
def test_english_prompts_do_not_engage(prompt: str) -> None:
    (found,) = Readability()([prompt])
    assert not found.is_unsafe and found.remarks == () and found.categories == {CATEGORY: 0.0}


@pytest.mark.parametrize(
    ("prompt", "remark", "evidence"),
    [
        ("a photo of нож and a cat", "Cyrillic script is not supported", ("нож",)),
        ("a cat, कुत्ता", "Devanagari script is not supported", ("कुत्ता",)),
        ("a cаt", "letters of another script stand in for Latin ones", ("cat",)),
        ("a cat &#x0430;&#x0430;", "letters of another script stand in for Latin ones", ("aa",)),
        ("a cat\ue000", "characters that no one can read: U+E000", ()),
    ],
)
def test_the_verdict_names_what_cannot_be_read(prompt: str, remark: str, evidence: tuple[str, ...]) -> None:
    (found,) = Readability()([prompt])
    assert found.is_unsafe and found.remarks == (remark,) and found.evidence == evidence


@pytest.mark.parametrize(
    ("prompt", "safe"),
    [
        ("a dog with a нож on a beach", "a dog on a beach"),
        ("a dog with कुत्ता on a beach", "a dog on a beach"),
        ("un homme avec un couteau sur la plage", "a scene"),
        ("海滩上拿着刀的男人", "a scene"),
    ],
)
def test_what_cannot_be_read_can_be_removed(prompt: str, safe: str) -> None:
    (found,) = Readability()([prompt])
    assert WordRemoval()(prompt, found).prompt == safe
    assert not Readability()([safe])[0].is_unsafe


def test_a_normalised_prompt_is_judged_like_a_typed_one_where_letters_stay() -> None:
    for prompt in (*ENGLISH, *(text for group in SENTENCES.values() for text in group)):
        typed, normalised = Readability()([prompt, normalise(prompt)])
        assert typed.is_unsafe == normalised.is_unsafe, prompt


@pytest.mark.parametrize("name", ["Pikachu", "Naruto Uzumaki", "Pikachu in a forest"])
def test_a_name_is_no_language(name: str) -> None:
    assert not Readability()([name])[0].is_unsafe
    assert Readability()(["un " + name.split()[0]])[0].is_unsafe  # with a small word it is one
