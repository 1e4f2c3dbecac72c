"""Letters of other scripts that look like Latin ones, as in "кnife" with a Cyrillic first letter.

`SAME` holds what Unicode calls confusable with one ASCII letter: confusables.txt of Unicode
Technical Standard 39, version 15.1, letters only, without those that NFKC or a Latin letter's name
resolves. `SIMILAR` adds letters that readers still take for Latin ones beside others.
"""

from __future__ import annotations

import re

SAME: dict[str, str] = {
    "a": "ɑαа",
    "b": "ƄЬᏏᑲᖯ",
    "c": "сⲥꮯ𐐽",
    "d": "ԁᏧᑯꓒ",
    "e": "еҽꬲ",
    "f": "քẝꬵ",
    "g": "ƍɡց",
    "h": "һհᏂ",
    "i": "ıɩιіᎥꙇꭵ𑣃",
    "j": "ϳј",
    "l": "Ɩǀӏ",
    "n": "ոռ",
    "o": "οσоօഠဝჿᴑⲟꬽ𐐬𐓪𑣈𑣗",
    "p": "ρрⲣ",
    "q": "ԛգզ",
    "r": "гᴦⲅꭇꭈꮁ",
    "s": "ƽѕꮪ𐑈𑣁",
    "u": "ʊυսꞟ𐓶𑣘",
    "v": "νѵꮩ𑜆𑣀",
    "w": "ɯѡԝաꮃ𑜊𑜎𑜏",
    "x": "хᕁᕽ",
    "y": "ɣγуүყ𑣜",
    "z": "ꮓ𑣄",
    "A": "ΑАᎪᗅꓮ𐊠𖽀",
    "B": "ΒВᏴᗷꓐꞴ𐊂𐊡𐌁",
    "C": "СᏟⲤꓚ𐊢𐌂𐐕𐔜",
    "D": "Ꭰᗞᗪꓓ",
    "E": "ΕЕᎬⴹꓰ𐊆𑢦𑢮",
    "F": "Ϝᖴꓝ𐊇𐊥𐔥𑢢𑣂",
    "G": "ԌᏀᏳꓖ",
    "H": "ΗНᎻᕼⲎꓧ𐋏",
    "I": "ΙІӀᛁⲒⵏꓲ𐊊𐌉𖼨",
    "J": "ͿЈᎫᒍꓙ",
    "K": "ΚКᏦᛕⲔꓗ𐔘",
    "L": "ᏞᒪⳐꓡ𐐛𐔦𑢣𑢲𖼖",
    "M": "ΜϺМᎷᗰᛖⲘꓟ𐊰𐌑",
    "N": "ΝⲚꓠ𐔓",
    "O": "ΟОՕଠዐⲞⵔꓳ𐊒𐊫𐐄𐓂𐔖𑢵",
    "P": "ΡРᏢᑭⲢꓑ𐊕",
    "Q": "ⵕ",
    "R": "ƦᎡᏒᖇꓣ𐒴𖼵",
    "S": "ЅՏᏕᏚꓢ𐊖𐐠𖼺",
    "T": "ΤТᎢⲦꓔ𐊗𐊱𐌕𑢼𖼊",
    "U": "Սሀᑌꓴ𐓎𑢸𖽂",
    "V": "ѴᏙᐯⴸꓦꛟ𐔝𑢠𖼈",
    "W": "ԜᎳᏔꓪ",
    "X": "ΧХᚷⲬⵝꓫꞳ𐊐𐊴𐌗𐔧",
    "Y": "ΥУҮᎩᎽⲨꓬ𐊲𑢤𖽃",
    "Z": "ΖᏃꓜ𑢩",
}
SIMILAR: dict[str, str] = {
    "a": "λ",
    "b": "вбβъ",
    "d": "δ",
    "e": "єэзεə",
    "h": "нңһ",
    "i": "їίϊ",
    "k": "кκҝқҡĸ",
    "m": "м",
    "n": "пηŋ",
    "o": "ѳөθ",
    "r": "я",
    "s": "ς",
    "t": "тτ",
    "u": "иμц",
    "w": "шщω",
    "x": "χж",
    "y": "ч",
    "A": "ΛДλ",
    "B": "Б",
    "E": "ЭЗΣ",
    "N": "ИПΠ",
    "O": "ΘѲΦФ",
    "R": "Я",
    "U": "ЦμИ",
    "W": "ШЩ",
    "Y": "ЧΨ",
}
WORD = re.compile(r"[^\W\d_]+")


def _by_character(table: dict[str, str]) -> dict[int, str]:
    return {ord(character): letter for letter, characters in table.items() for character in characters}


SAME_AS = _by_character(SAME)
TAKEN_FOR = _by_character(SIMILAR) | SAME_AS


def fold_look_alikes(text: str) -> str:
    """Put Latin letters in place of look-alikes, in words that mix scripts or only pretend to be Latin.

    "кnife" -> "knife" (one Cyrillic letter) and "сосо" -> "coco" (all four); "нож" stays Russian.
    """
    return text if text.isascii() else WORD.sub(lambda match: _fold(match[0]), text)


def look_alike_words(text: str) -> tuple[str, ...]:
    """Return the words of `text` that `fold_look_alikes` changes; one letter alone is no word."""
    words = WORD.findall(text)
    return tuple(dict.fromkeys(word for word in words if len(word) > 1 and _fold(word) != word))


def _fold(word: str) -> str:
    if word.isascii():
        return word
    if any(character.isascii() for character in word):
        return word.translate(TAKEN_FOR)
    folded = word.translate(SAME_AS)
    return folded if folded.isascii() else word
