"""The words that `minors` looks for: who is young, what is sexual, and what only sounds like it.

Regular expressions for lower-case words without punctuation, parted by white space here; in them `_`
stands for a space and `~` for a space or none. The lists are as mild as they can be: a harsher text
brings one of these words along, or is caught by the gate. Latin letters carry no accents (see `normalise`).
"""

from __future__ import annotations

from counterpoint.detectors.patterns import alternatives

TENS = "ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen"
NOT_A_REST = "".join(
    rf"(?<!{ten}_)" for ten in ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
)
"""Before a number word: "twenty one" is no "one"."""
UNDER_18 = rf"{NOT_A_REST}(?:\d|1[0-7]|one|two|three|four|five|six|seven|eight|nine|{TENS})"
EIGHTEEN = "(?:18|eighteen)"
DRINKS = r"(?:whisk|scotch|bourbon|wine|rum|cognac)\w*"

PERSON = (
    "(?:s?he|they|both|who|i|you|girls?|boys?|woman|man|female|male|model|person|lady|student|actress|actor|dancer"
    "|daughter|son|sister|brother|niece|nephew|cousin)"
)
IS = (
    rf"(?:{PERSON}_(?:has_|just_){{0,2}}(?:is|s|was|are|re|were|am|m|turns?|turned|turning)|s?hes|im|whos|theyre|youre)"
)
NEARLY = "(?:only_|just_|about_|around_|barely_|nearly_|almost_|still_|now_|maybe_|exactly_|roughly_|not_even_){0,3}"
NO_UNIT = (
    r"(?!_(?:\d+|f(?:ee|oo)?t|[cmk]?m|kg|kilos?|lbs?|pounds|stone|inch(?:es)?|met(?:er|re)s?|miles?|min(?:ute)?s?"
    r"|hours?|seconds?|days?|weeks?|months?|years?|steps?|percent|points?|times|people|persons|(?:wo)?men|[ap]m"
    r"|o~clock|degrees|dollars|euros|floors|pages|(?:shirtless|nude|naked)_(?:wo)?men)(?!\w))"
)
"""After a number: "she is 15" tells an age, "he is 6 foot tall" and "she is 5 months pregnant" do not."""

NO_ERA = "".join(rf"(?<!{era}_)" for era in ("bronze", "iron", "ice", "stone", "dragon", "golden"))
"""Before "age": "Iron Age, 3 warriors" tells nobody's."""

AGES = alternatives(
    rf"(?:{UNDER_18}|a)~(?:years?|yrs?|yr)~(?:olds?|of_age|young)(?!_{DRINKS}) {UNDER_18}~(?:yrs?|y~os?)",
    rf"{UNDER_18}_(?:to|or|through)_(?:\d\d|eighteen|nineteen|twenty)~(?:years?|yrs?)~olds?",
    r"1[3-7]_1[89]~(?:years?|yrs?)~olds?",  # "16-18-year-olds"
    rf"\w+_(?:months?|weeks?)_olds? {NO_ERA}age[ds]?_(?:of_|is_|between_|from_){{0,2}}{NEARLY}{UNDER_18}",
    rf"{NO_ERA}age[ds]?{UNDER_18}",
    rf"{IS}_{NEARLY}(?:[2-9]|1[0-7]|four|five|six|seven|eight|nine|{TENS}){NO_UNIT}",
    r"(?:her|his|their)_(?:\d|1[0-7])(?:st|nd|rd|th)_birthday",
    rf"(?:under|below)_(?:{EIGHTEEN}|1[0-7])s?{NO_UNIT} (?:under|below)_(?:{TENS}|five|six|seven|eight|nine)e?s",
    rf"(?:younger_than|not_yet|(?:under|below)_the_age_of)_(?:{EIGHTEEN}|{UNDER_18})",
    r"(?:looks?|looking|appears?|appearing|seems?)_(?:like_|to_be_|about_|around_|only_){0,4}"
    rf"(?:[5-9]|1[0-7]|{TENS})",
    rf"(?:girl|boy|model|person|female|male|woman|man|lady|student|beauty|dancer|actress|actor)_of_{UNDER_18}"
    r"(?!_\w*[^\Ws]s\b)",  # "a model of 12 houses", but "a model of 12, topless"
    r"sweet_sixteen (?:her|his|their)_(?:(?:early|mid|late)_)?teens (?:\d|1[0-2])(?:st|nd|rd|th)~grade(?:rs?)?",
    "(?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|eleventh|twelfth)_grade(?:rs?)?",
    rf"{UNDER_18}_(?:ans|anos|anni|jahren?|jaar|ar_gammal) (?:\d|1[0-7])~(?:лет|года?|歳|才|岁|歲|살|세)",
)
GIRL_OR_BOY = alternatives("girls? girl(?:ie|y)s? girlz gurl[sz]? boys? boyz")
"""Also said of grown ones: `EVERYDAY` is not asked beside these, nor beside `CHARACTERS`."""
YOUNG = alternatives(
    """
    child children childs childlike kids? kidd(?:o|y|ie)s? kidz minors a_minor under~aged?
    infants? newborns? toddlers? bab(?:y|ies) childish_(?:fac(?:es?|ial)|look(?:s|ing)?|bod(?:y|ies)|figures?|features?)
    (?:pre~)?teens? (?:pre~)?teen~age[rd]?s? tweens? adolescents? juveniles? youngsters? (?:pre~)?pubescents? puberty
    rug~rats? bairns? tykes? teeny~boppers? younglings? young~[iu]ns?
    (?:young|wee|little)_(?:lad|lass)(?:die|ie)?(?:e?s)? (?:wee|little)_ones tiny_tots?
    (?:little|young|small|tiny|cute)(?:girl|boy|kid|child)s? (?:grand|step|god|foster)~(?:child|children|kids?)
    high~school(?:ers?|_(?:students?|pupils?|freshm[ae]n|sophomores?|kids?))
    school~(?:girl|boy|child|children|kid)s? school_uniforms? kindergart\\w+ pre~school\\w*
    (?:nursery|elementary|primary|grade|middle|junior_high|high)~school\\w*
    little_(?:sister|brother|daughter|son|niece|nephew|cousin)s?
    barely_legal jailbait lolis? lolitas? lolicon shotas? shotacon csam junior_high (?:little|small|tiny)_(?:girl|boy)s?
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

CLOTHES = (
    "(?:clothe?s|clothing|garments?|apparel|attire|under~(?:wears?|wares?|clothes|pants|garments?)|undies|panties|knickers"
    "|bra|pants|trousers|swim~(?:suits?|wear|trunks)|bathing_suits?|bikinis?|skirt|dress(?!_(?:code|up|shop|rehearsal)))"
)
ANY = (
    "(?:(?:any|a|an|her|his|its|their|my|our|the|all|of|on|much|many|most|single|stitch|scrap|shred|pieces?|bit|trace"
    "|items?|articles?|kind|sort|type|real|visible|usual|own|even|pretty|little|cute|wearing|having|putting)_){0,5}"
)
"""What may stand before the clothes. A closed list: "without warm clothes" and "without hats, clothes" are harmless."""
NEGATIONS = frozenset("isnt arent wasnt werent dont doesnt didnt".split())
NOT = f"(?:not|never|no_longer|t|{'|'.join(sorted(NEGATIONS))}|without)"
ANYTHING = "(?:any~thing|an?_(?:single_)?(?:thing|stitch|shred|thread))"
QUITE = "(?:absolutely_|literally_|almost_|practically_|basically_|virtually_|quite_){0,2}"
NOT_ELSEWHERE = (
    r"(?!_(?:it|them|top|tv|screen|sale|display|show|earth|fire|this|that|these|those|either|each|an?|to)(?!\w))"
    r"(?!_(?:the|his|her|their|its|my|your)_(?!(?:bare_|young_|little_)*(?:body|bodies|skin)(?!\w))\w)"
)
"""After "nothing on": a table, not a body."""
NOT_WARM = (
    "(?!_(?:warm|special|fancy|formal|unusual|new|expensive|modern|waterproof)"
    "|_on_(?:the|his|her|their|its)_(?:head|foot|feet|hand|face|neck|wrist|ear|hair))"
)
"""After "wearing nothing": what is missing is no more than a coat or a hat."""
NOT_SO_DRESSED = (
    r"(?!_(?:for|up|as|like|to|by|in(?!_any)|properly|warmly|warm|well|nicely|neatly|smartly|formally|appropriately"
    r"|enough|alike|the_same|too|very)(?!\w))"
)
"""After "not dressed": "not dressed for the rain" is dressed."""
TAKE = (
    "(?:tak(?:e|es|ing|en)|took|pull(?:s|ed|ing)?|peel(?:s|ed|ing)?|rip(?:s|ped|ping)?|slip(?:s|ped|ping)?"
    "|strip(?:s|ped)?|get(?:s|ting)?|throw(?:s|ing)?|with)"
)
OFF = "off(?!_(?:the|a|an|of|to|at)(?!\\w))"
UNDRESS = alternatives(
    rf"(?:without|no)~{ANY}{CLOTHES}",
    rf"(?:w_o|sans|minus|zero|lacking|lack_of|devoid_of|free_of|stripped_of)_{ANY}{CLOTHES}",
    rf"(?:get|step|slip)(?:s|ting|ping)?_out_of_{ANY}{CLOTHES}",
    rf"{NOT}_(?:wear|wears|wearing|worn|wore|have|has|having|got|in)_{ANY}{CLOTHES}",
    rf"{NOT}_(?:wear|wears|wearing|worn|wore|dressed_in|clad_in)_{ANYTHING}{NOT_WARM}",
    rf"(?:without|(?:not|t|never)(?:_(?:have|having|has|had|got|yet)){{0,2}})_{ANYTHING}_on{NOT_ELSEWHERE}",
    rf"(?:wears?|wore|wearing|worn|(?:dressed|clad|clothed)_in|covered_(?:in|by|with))_{QUITE}nothing{NOT_WARM}",
    rf"(?:with|has|have|having|had|got|and|but|she|he|they|girls?|boys?|child|children"
    "|kids?|teens?|toddlers?|bab(?:y|ies)|olds?|(?:wo)?m[ae]n|person|people)"
    rf"_{QUITE}nothing_(?:else_|much_|at_all_)?on{NOT_ELSEWHERE}",
    "(?:girls|boys|children|kids|teens|toddlers|babies|olds)_(?:with_|have_)?nothing_on_them",
    rf"{NOT}_(?:yet_|even_|at_all_|really_|fully_|completely_){{0,3}}(?:dressed|clothed|clad){NOT_SO_DRESSED}",
    rf"(?:half|semi|barely|hardly|scarcely|part(?:ly|ially)|scantily|skimpily)~(?:dressed|clothed|clad){NOT_SO_DRESSED}",
    rf"{TAKE}_off_(?:\w+_)?{ANY}{CLOTHES} {TAKE}_{ANY}{CLOTHES}_(?:all_)?{OFF}",
    rf"{CLOTHES}_(?:are|is|came|comes?|coming|fall|falls|falling|fell)_(?:all_)?{OFF}",
    rf"remov(?:e|es|ed|ing)_(?:\w+_)?{ANY}{CLOTHES}(?!_from)",
    r"(?:in|wearing|only|just)_(?:(?:only|just|nothing_but|her|his|their|skimpy|tiny)_){1,4}"
    r"(?:an?_)?(?:under~(?:wears?|ware|pants|garments?)|undies|knickers|bra)(?!_(?:over|outside|on_(?:his|her|the|their)_head))",
    """
    cloth(?:es)?less clothes~free clothing_optional unclad disrob(?:e|es|ed|ing) skinny~dip\\w* birthday_suits? starkers
    au_naturel full~frontal bare_(?:body|bodies|bum|butt|backside|behind) shirtless_(?:\\w+_)?girls?
    expos(?:es|ing)_(?:her|him|them)sel(?:f|ves)(?!_to)
    """,
)

SEXUAL = alternatives(
    """
    naked(?:ness)? nekkid nudes? nudity nudist undress(?:ed|ing|es)? unclothed topless bottomless lingerie
    panties thong negligee (?:bare|exposed|naked)_(?:breasts?|breasted|bottom|buttocks?)
    in_the_(?:nude|buff|altogether)
    erotica eroti[cks]\\w* sex sexy sexual\\w* seducti\\w+ seducing sensual\\w* porn\\w* nsfw xxx hentai ecchi
    fetish\\w* bdsm kinky lewd\\w* aroused arousing orgasm\\w* intercourse making_love strip~tease strippers? stripping
    genital\\w*
    penis vaginas? provocative_pos(?:e|ing) suggestive(?:ly)?_pos(?:e|ing)
    rap(?:ed|es|ing|ist|ists)
    (?<!oilseed_)(?<!yellow_)(?<!fields_of_)(?<!field_of_)rape(?!_(?:seed|field|blossom|flower)s?)
    molest(?:s|ed|ing|ers?|ations?)? incest(?:uous)? pa?edo(?:s|~phil\\w*)? groomed_by_(?:an?_)?(?:man|stranger|adult)
    (?:grop|fondl)(?:es|ed|ing)_(?:by|her|him|them|an?_(?:girl|boy|child|kid|teen)\\w*) masturbat\\w* foreplay
    (?!food|earth|city|word)\\w{3,}porn bondage(?!_in_egypt) shibari twinks?
    """,
    # Spanish, Portuguese, French, Italian
    "desnud[oa]s? despid[oa]s? nue?s nue tout_nu nud[oaie] erotique lenceria dessous",
    # German, Dutch, Swedish, Polish, Turkish, Indonesian
    r"nackt\w* entbloss\w+ erotisch\w* sexuell\w* naakte? naken nakna nago nagie nagich ciplak\w* telanjang",
    # Russian
    r"гол(?:ая|ый|ое|ые|ой|ого|ую) обнаж[её]н\w+ раздет\w+ эроти\w+ секс\w* порно\w* нагая нагой оголен\w+",
)
SUGGESTIVE = alternatives(
    """
    (?:provocative|suggestive)_(?:pos(?:e|es|ing)|outfits?|clothes) (?:provocative|suggestive)ly
    (?:sultry|alluring|lustful|lascivious)_(?:\\w+_)?(?:girls?|boys?|teens?|looks?|poses?|eyes|gaze|smile|body|figure)
    voluptuous_(?:\\w+_)?(?:girls?|teens?|body|figure|curves|lips) busty boobs? (?:big|huge|large|ample)_breasts
    (?:with|show(?:s|ing)|deep|visible|ample|exposed|her)_cleavage up~skirts? panty~shots?
    skimp(?:y|ily)_(?:\\w+_)?(?:clothe?s|clothing|clad|dressed|outfits?|dress|costumes?|attire|bikinis?|top)
    micro~(?:skirts?|bikinis?) fishnet_(?:stockings|tights|leggings) garter~belts? (?:bare|exposed)_thighs?
    (?:see~through|transparent)_(?:dress|skirt|shirt|top|blouse|nightgown|clothe?s|clothing|outfit)
    (?:in|wearing)_(?:(?:an?|her|his|their|white|black|pink|red|blue|lace|\\w+y)_){0,2}(?:under~(?:wears?|wares?)|undies)
    (?:passionate|french|deep|tongue|lustful)(?:ly)?_kiss(?:es|ed|ing)? kiss(?:es|ing)?_(?:\\w+_){0,2}passionately
    (?:passionate|lustful)(?:ly)?_(?:embrac(?:e[sd]?|ing)|hug(?:s|ging)?) mak(?:es|ing)_out_with
    bed~room_eyes come~hither inviting_(?:pose|gaze|eyes) spread(?:ing)?_(?:\\w+_)?legs legs_spread
    attractive_(?:pre~)?teens?
    (?:pre~teen|teen|teenage|adolescent|child|childish|little_girl|school~girl)s?_bod(?:y|ies)(?!_(?:image|language|mass))
    jock_sturges (?:by|style_of)_david_hamilton
    (?:in|wear(?:s|ing))_(?:an?_)?(?:\\w+_)?(?:revealing|risque)_(?:\\w+_)?(?:clothe?s|clothing|outfits?|dress|costumes?)
    """
)
"""Clothes and poses that make a body sexual. Asked of what is drawn alone: in a negative prompt they excuse nothing."""
EVERYDAY = alternatives(
    """
    (?:mini|micro|short|tiny)~(?:skirts?|shorts) (?:hot|booty)~(?:pants|shorts) (?:tiny|tight)_(?:\\w+_)?shorts
    crop~(?:ped_)?tops?(?!_of)
    tight_(?:\\w+_)?(?:clothe?s|clothing|dress|shirts?|blouse|outfit|leggings|jeans|bodysuits?)
    (?:wet|sheer)_(?:\\w+_)?(?:dress|t~shirts?|shirts?|blouse)
    (?:in|wear(?:s|ing)|body)_(?:\\w+_)?latex(?!_(?:gloves?|masks?))
    bikinis?(?!_(?:bottom|atoll)) (?<!chicken_)thighs thigh~highs? pantyhose bare_midriff twerk\\w* arm~pits? buttocks?
    (?:in|wear(?:s|ing)|lace|black|white|long|nylon|silk|sheer)_stockings? (?:slim|slender|toned|shapely)_legs
    (?:parted|plump|wet|glossy|pouty)_lips lips_parted flirt\\w* flushed_(?:face|gaze) face_flushed thicc
    hour~glass_figure
    curv(?:y|ey|aceous)(?!_(?:roads?|slides?|rivers?|lines?|paths?|streets?|stairs?|horns?)) back~sides?(?!_of)
    (?<!bottle_)nipples? kissing_each_other(?!_on_the_(?:cheek|forehead)) clothe?s_(?:are_)?removed
    (?:hands|wrists|ankles|girls?|boys?|child(?:ren)?|kids?|teens?|s?he)_(?:is_|are_)?tied_up
    """
)
"""Clothes and gestures of grown ones, seldom drawn of a child without a purpose. Asked beside
`AGES` and `YOUNG` alone."""
CHARACTERS = alternatives(
    """
    (?:lisa|bart|maggie)_simpson hermione_granger harry_potter luna_lovegood ginny_weasley draco_malfoy
    arya_stark wednesday_addams dora_the_explorer mathilda_lando ellie_from_(?:the_)?last_of_us ellie_williams
    eleven_(?:from_)?stranger_things stranger_things_eleven will_byers max_mayfield
    ash_ketchum (?:misty|may|dawn|serena)_from_pokemon pokemon_trainer_misty
    sakura_kinomoto tomoyo_daidouji card~captor_sakura sailor_(?:moon|mini_moon|chibi_moon) usagi_tsukino chibiusa
    asuna(?:_yuuki)? yui_from_sword_art_online asuka_(?:langley\\w*|soryu) rei_ayanami shinji_ikari
    anya_forger killua_zoldyck gon_freecss kanna_kamui megumin nezuko(?:_kamado)? tanjiro(?:_kamado)?
    izuku_midoriya ochaco_uraraka momo_yaoyorozu himiko_toga madoka_kaname homura_akemi hinata_shoyo chihiro_ogino
    (?:violet|dash)_parr princess_(?:moana|merida) disney_moana moana_waialiki riley_andersen
    gwen_tennyson ben_tennyson kim_possible toph_beifong mabel_pines dipper_pines wendy_corduroy
    marinette_dupain_cheng ladybug_and_cat_noir peppa_pig
    """
)
"""Well-known characters who are under 18 in their stories, by names that hardly mean anybody else."""
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
    (?:1[89]|[2-9]\\d|eighteen|nineteen|twenty|thirty|forty|fifty)~(?:years?|yrs?)~olds?_(?:girl|boy)s?
    kid_(?:leather|gloves?) child~birth (?:ursa|asia|[b-g]|in_[a-g])_minor [a-g]_minor_(?:key|chord|scale)
    """,
    rf"{NOT_AFTER_SEXUAL}baby_(?:blue|pink|yellow|dolls?|showers?|oil|grand|bumps?)",
)
"""Uses that are about no young person, or nothing sexual; taken out before the lists above are asked.

Each is a door for who looks for one ("naked mole rat girl"), so there are few.
"""

OVER_17 = "(?:1[89]|[2-9]\\d|eighteen|nineteen|twenty|thirty|forty|fifty)"
NOT_BELOW = "".join(rf"(?<!{word}_)" for word in ("not", "yet", "under", "below", "than", "the", "to", "years", "year"))
"""Before an adult age: "under 18 years old", "below the age of 18" and "12 years of age" are young ones."""
ADULT = alternatives(
    r"(?<!not_)(?:adults?|adulthood|grown(?:~ups?)?|mature)(?!_(?:content|themes?|material|only|sites?|films?|movies?))",
    rf"{NOT_BELOW}(?:legal_age|of_age|age_of_(?:consent|majority)) of_legal_age over~age womanhood manhood",
    "in_(?:her|his|their)_(?:(?:early|mid|late)_)?(?:twenties|thirties|[2-9]0~s)",
    rf"{NOT_BELOW}{OVER_17}~(?:years?|yrs?|yr)~(?:olds?|of_age) {NOT_BELOW}{OVER_17}~y~os?",
    rf"{NOT_BELOW}age[ds]?_(?:of_)?{OVER_17} {EIGHTEEN}_plus",
    r"(?<!not_)(?:over|above|older_than|at_least)_(?:the_age_of_)?(?:1[78]|[2-9]\d|eighteen|twenty)",
)
"""In a negative prompt: what pushes it away makes people younger."""
CLOTHED = alternatives(
    """
    clothes clothing clothed dressed garments? apparel attire outfits? garb wardrobe clad underclothes
    fully_covered covered_up modest(?:y|ly)? sfw (?<!not_)safe_for_work
    """
)
"""In a negative prompt: what pushes it away undresses people."""
SCANTY = alternatives(
    "under~(?:wears?|wares?|pants|garments?) undies knickers swim~(?:suits?|wear|trunks) bathing_suits? bikinis?",
    "diapers? nappies",
)
"""In a negative prompt, too, unless it also names what is sexual: "nude, underwear" keeps people dressed."""
UPPER = alternatives("(?:t~)?shirts? tees? blouses? sweaters? jumpers? hoodies? tops?")
LOWER = alternatives("pants trousers jeans shorts leggings skirts? dress(?:es)?")
"""In a negative prompt: one of each together is clothes; jeans alone are a matter of taste."""

SPELT = """
    naked nudity undressed unclothed topless lingerie erotic sexual seductive sensual child children toddler infant
    teenager underage adolescent schoolgirl schoolboy
""".split()
"""Words that are also found one or two typing errors away."""
NOT_RESPELT = frozenset("underware underwares".split())
"""Misspelt themselves, and in the lists above; they are not "underage"."""

GLUED_SEXUAL = (
    "naked(?:ness)?|nud(?:es?|ity)|undress(?:ed|ing)?|unclothed|topless|lingerie|erotic|sexy|sexual|porn|hentai"
    "|noclothes|withoutclothes"
)
GLUED_YOUNG = (
    rf"child(?:ren)?|kids?|girls?|boys?|teen(?:age)?(?:rs?)?|toddlers?|infants?|bab(?:y|ies)|underage"
    rf"|(?<!\d)(?:\d|1[0-7]|{TENS})y(?:ea)?rs?olds?"
)
"""What is looked for inside of a word that is no English one, such as "nakedgirl"."""
GLUED_STRONG = (
    "naked(?:ness)?|nudity|nude|undress(?:ed|ing)?|unclothed|topless|lingerie|erotic|child(?:ren)?|girls?|boys|kids"
    "|toddlers?|infants?|teenagers?|underage"
)
"""Of those, what counts alone, where the rest of the word is words: "nakedbody", but not "Kidman"."""
GLUED_REST = frozenset("a i an as at by he in is it me my no of on or so to up we yo yr old".split())
WHOLE = frozenset("supergirl batgirl catgirl fangirl camgirl bargirl partygirl".split())
"""Compounds that name no child, and no common English word either."""
