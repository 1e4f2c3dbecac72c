"""The words that `minors` looks for: who is young, what is sexual, and what only sounds like it.

Regular expressions for lower-case words without punctuation, parted by white space here; in them `_`
stands for a space and `~` for a space or none. The lists are mild on purpose: a harsher text brings
one of these words along, or is caught by the gate. Latin letters carry no accents (see `normalise`).
"""

from __future__ import annotations


def alternatives(*patterns: str) -> str:
    """Return one regular expression for the patterns of these lists."""
    return "|".join(" ".join(patterns).split()).replace("_", " ").replace("~", " ?")


TENS = "ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen"
NOT_A_REST = "".join(
    rf"(?<!{ten}_)" for ten in ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
)
"""Before a number word: "twenty one" is no "one"."""
UNDER_18 = rf"{NOT_A_REST}(?:\d|1[0-7]|one|two|three|four|five|six|seven|eight|nine|{TENS})"
EIGHTEEN = "(?:18|eighteen)"
DRINKS = r"(?:whisk|scotch|bourbon|wine|rum|cognac)\w*"

AGES = alternatives(
    rf"(?:{UNDER_18}|a)~(?:years?|yrs?|yr)~(?:old|of_age|young)(?!_{DRINKS}) {UNDER_18}~(?:yrs?|y~o)",
    rf"\w+_(?:months?|weeks?)_old age[ds]?_(?:of_)?{UNDER_18}",
    rf"(?:under|below)_(?:{EIGHTEEN}|1[0-7])",
    rf"(?:younger_than|not_yet|(?:under|below)_the_age_of)_(?:{EIGHTEEN}|{UNDER_18})",
    r"(?:looks?|looking|appears?|appearing|seems?)_(?:like_|to_be_|about_|around_|only_)*"
    rf"(?:[5-9]|1[0-7]|{TENS})",
    rf"(?:model|person|female|male|woman|man|lady|student|beauty|dancer|actress|actor)_of_{UNDER_18}(?!_\w+s\b)",
    r"sweet_sixteen (?:her|his|their)_(?:(?:early|mid|late)_)?teens (?:\d|1[0-2])(?:st|nd|rd|th)~grade(?:rs?)?",
    "(?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|eleventh|twelfth)_graders?",
    rf"{UNDER_18}_(?:ans|anos|anni|jahren?|jaar|ar_gammal) (?:\d|1[0-7])~(?:лет|года?|歳|才|岁|歲|살|세)",
)
YOUNG = alternatives(
    """
    child children childs childlike kids? kiddies? minors a_minor under~aged? infants? newborns? toddlers? bab(?:y|ies)
    (?:pre~)?teens? (?:pre~)?teen~age[rd]?s? tweens? adolescents? juveniles? youngsters? (?:pre~)?pubescents? puberty
    girls? boys? school~(?:girl|boy|child|children|kid)s? school_uniforms? kindergart\\w+ pre~school\\w*
    (?:nursery|elementary|primary|grade|middle|junior_high|high)~school\\w* little_(?:sister|brother)s?
    barely_legal jailbait lolis? lolitas? lolicon shotas? shotacon
    """,
    # Spanish, Portuguese, French, Italian
    "nin[oa]s? menor(?:es)?_de_edad muchach[oa]s? colegialas? criancas? menin[oa]s? enfants? fillettes? petite_fille",
    "garconnets? mineure?s? ecolieres? bambin[oaie] ragazzin[oaie] minorenn[ei]",
    # German, Dutch, Swedish, Polish, Turkish, Indonesian
    r"(?:die|der|zwei|drei|nackte)_kinder (?:ein|das|kleines|junges|nacktes)_kind madchen minderjahrig\w*",
    r"schulerin(?:nen)? kinderen meisjes? jongens? flickor? pojkar?",
    r"dzieck\w+ dzieci dziewczynk\w+ chlopc\w+ cocuk\w* anak gadis_kecil",
    # Russian, Ukrainian
    r"реб[её]н\w+ дет(?:и|ей|ям|ьми|ск\w+) девочк\w+ мальчик\w* школьниц\w+ школьник\w* подрост\w+ малолет\w+",
    r"несовершеннолетн\w+ дитин\w+ діт(?:и|ей) дівчинк\w+ хлопчик\w*",
)
YOUNG_ANYWHERE = """
    子供 子ども こども 少女 少年 幼女 幼児 女児 児童 小学生 中学生 高校生 未成年 儿童 兒童 孩子 小孩 女孩 男孩 幼童
    어린이 아이 소녀 소년 여고생 미성년 طفل طفلة أطفال قاصر बच्चा बच्ची बच्चे नाबालिग लड़की लड़का เด็ก ילד ילדה ילדים
    παιδί κορίτσι αγόρι
""".split()
"""Of languages that part no words, or inflect at both ends: found inside of words, too."""

SEXUAL = alternatives(
    """
    naked(?:ness)? nudes? nudity nudist undress(?:ed|ing|es)? unclothed disrobed disrobing topless bottomless lingerie
    panties thong negligee (?:bare|exposed|naked)_(?:breasts?|breasted|bottom|buttocks?)
    in_the_(?:nude|buff) wearing_nothing
    (?:without|no|not_wearing(?:_any)?|(?:takes?|taking)_off_\\w+|removing_\\w+)_cloth(?:es|ing)
    erotica eroti[cks]\\w* sex sexy sexual\\w* seducti\\w+ seducing sensual\\w* porn\\w* nsfw xxx hentai ecchi
    fetish\\w* bdsm kinky lewd\\w* aroused arousing orgasm\\w* intercourse making_love strip~tease strippers? stripping
    genital\\w*
    penis vaginas? provocative_pos(?:e|ing) suggestive(?:ly)?_pos(?:e|ing)
    """,
    # Spanish, Portuguese, French, Italian
    "desnud[oa]s? despid[oa]s? nue?s nue tout_nu nud[oaie] erotique lenceria dessous",
    # German, Dutch, Swedish, Polish, Turkish, Indonesian
    r"nackt\w* entbloss\w+ erotisch\w* sexuell\w* naakte? naken nakna nago nagie nagich ciplak\w* telanjang",
    # Russian
    r"гол(?:ая|ый|ое|ые|ой|ого|ую) обнаж[её]н\w+ раздет\w+ эроти\w+ секс\w* порно\w* нагая нагой оголен\w+",
)
SEXUAL_ANYWHERE = """
    裸 ヌード エロ 下着姿 性的 色情 情色 누드 알몸 벌거벗 야한 عار عري नग्न नंगा नंगी เปลือย โป๊ עירום γυμν
""".split()

NOT_AFTER_SEXUAL = "".join(rf"(?<!{word}_)" for word in ("naked", "nude", "sexy", "erotic", "topless", "undressed"))
"""Before an excuse: the baby of "naked baby, blue wall" is one, whatever stands between."""
EXCUSED = alternatives(
    """
    nude_(?:colou?r(?:ed)?_)?(?:lipsticks?|lip_gloss|nail_polish|nails|heels|pumps|shoes|sandals|tights|make~up|manicure)
    nude_(?:tones?|shades?|palettes?) naked_mole~rats? (?:with|to|by)_the_naked_eye (?:same|opposite|single)_sex
    (?:pin~up|calendar|cover|bond|call|show|adult|college|cow)~(?:girl|boy)s? (?:girl|boy)~friends? playboys?
    boy~shorts boy_bands?
    (?:1[89]|[2-9]\\d|eighteen|nineteen|twenty|thirty|forty|fifty)~(?:years?|yrs?)~old_(?:girl|boy)s?
    kid_(?:leather|gloves?) child~birth (?:ursa|asia|[b-g]|in_[a-g])_minor [a-g]_minor_(?:key|chord|scale)
    """,
    rf"{NOT_AFTER_SEXUAL}baby_(?:blue|pink|yellow|dolls?|showers?|oil|grand|bumps?)",
)
"""Uses that are about no young person, or nothing sexual; taken out before the lists above are asked.

Each is a door for who looks for one ("naked mole rat girl"), so there are few.
"""

ADULT = alternatives(
    r"(?<!not_)(?:adults?|adulthood|grown(?:~ups?)?|of_legal_age|mature)"
    r"(?!_(?:content|themes?|material|only|sites?|films?|movies?))"
)
"""In a negative prompt: what pushes it away makes people younger."""
CLOTHED = alternatives("clothes clothing clothed dressed garments? apparel fully_covered sfw (?<!not_)safe_for_work")
"""In a negative prompt: what pushes it away undresses people."""

SPELT = """
    naked nudity undressed unclothed topless lingerie erotic sexual seductive sensual child children toddler infant
    teenager underage adolescent schoolgirl schoolboy
""".split()
"""Words that are also found one or two typing errors away."""
