"""The words that `groups` looks for: who people are, and the people that such words stand before.

Regular expressions, see `patterns`. No word here names a harm.
"""

from __future__ import annotations

from counterpoint.detectors.patterns import alternatives

ORIGINS = alternatives(r"""
    african afro black white brown dark_skinned light_skinned brown_skinned black_skinned dark_complexioned mixed_race
    biracial multiracial caucasian european asian eurasian arab arabic arabian persian hispanic latino latina latin
    latinx latine chicano chicana native indigenous aboriginal aborigine first_nations american_indian inuit eskimo
    maori polynesian melanesian micronesian hawaiian sami romani roma gypsy sinti slavic nordic scandinavian baltic
    balkan caribbean creole mestizo mestiza mulatto middle_eastern western eastern southern northern south north east
    west central southeast oriental ethnic foreign afghan albanian algerian american amish angolan argentine
    argentinian armenian assyrian australian austrian azerbaijani azeri aztec bahraini bangladeshi bantu barbadian
    basque bedouin belarusian belgian bengali berber bhutanese bolivian bosnian botswanan brazilian british bulgarian
    burkinabe burmese burundian cambodian cameroonian canadian catalan chadian chechen cherokee chilean chinese
    circassian colombian congolese cossack costa_rican croatian cuban cypriot czech danish dominican dutch ecuadorian
    egyptian emirati english eritrean estonian ethiopian fijian filipino filipina finnish flemish french fulani
    gabonese gambian georgian german ghanaian greek guatemalan guinean gujarati guyanese haitian han hausa himba
    hindustani hmong honduran hungarian icelandic igbo indian indonesian iranian iraqi irish israeli italian ivorian
    jamaican japanese javanese jordanian kashmiri kazakh kenyan khmer korean kosovar kurdish kuwaiti kyrgyz lakota lao
    laotian latvian lebanese liberian libyan lithuanian maasai macedonian malagasy malawian malay malaysian malian
    maltese mapuche mauritanian mauritian mayan mexican moldovan mongolian montenegrin moroccan mozambican namibian
    navajo nepalese nepali nicaraguan nigerian norwegian omani pakistani palestinian panamanian papuan paraguayan
    pashtun peruvian polish portuguese puerto_rican punjabi qatari quechua romanian rohingya russian rwandan
    salvadoran samoan saudi scottish senegalese serbian sicilian sierra_leonean sikkimese singaporean sinhalese slovak
    slovakian slovene slovenian somali spanish sri_lankan sudanese surinamese swahili swedish swiss syrian taiwanese
    tajik tamil tanzanian tatar thai tibetan togolese tongan trinidadian tuareg tunisian turkish turkmen tuvan ugandan
    ukrainian uruguayan uyghur uzbek venezuelan vietnamese welsh xhosa yemeni yoruba zambian zimbabwean zulu
""")
FAITHS = alternatives(r"""
    muslim moslem islamic sunni shia shiite sufi ahmadi jewish hasidic orthodox reform christian catholic protestant
    coptic evangelical lutheran methodist baptist anglican quaker mennonite mormon adventist pentecostal hindu sikh
    buddhist jain parsi zoroastrian bahai bahá'í druze yazidi taoist daoist shinto rastafarian rasta wiccan pagan
    atheist agnostic religious devout hijabi veiled headscarved turbaned
""")
LOVES = alternatives(r"""
    gay lesbian bisexual bi pansexual asexual aromantic queer homosexual heterosexual straight same_sex same_gender
    lgbt lgbtq lgbtqia lgbtq\+ lgbt\+ lgbtqia\+ transgender transgendered trans transsexual nonbinary non_binary
    genderqueer genderfluid gender_fluid gender_nonconforming agender androgynous intersex cisgender cis two_spirit
    polyamorous interracial interfaith married unmarried divorced widowed single
""")
BODIES = alternatives(r"""
    fat obese overweight plump chubby plus_sized? curvy stout heavyset heavy big large thin skinny slim slender lean
    petite short tall tiny small old older elderly aged senior retired middle_aged wrinkled white_haired
    gr[ea]y_haired bald balding pregnant expecting disabled handicapped blind visually_impaired partially_sighted deaf
    hard_of_hearing hearing_impaired mute nonverbal non_verbal autistic neurodivergent dyslexic paraplegic
    quadriplegic tetraplegic amputee
    wheelchair_using diabetic epileptic albino freckled short_statured
""")
FLIGHT = alternatives(r"""
    refugee immigrant migrant emigrant asylum_seeking undocumented displaced exiled stateless newcomer homeless
    unhoused houseless poor impoverished penniless destitute needy low_income working_class jobless unemployed rural
""")
PERSONS = alternatives(r"""
    man woman men women person persons people folks? humans? individuals? adults? gentlem[ae]n lad(?:y|ies) guys?
    lads? fellows? males? females? couples? pairs? duo trio famil(?:y|ies) households? relatives crowds? groups?
    teams? communit(?:y|ies) tribes? villagers? citizens? residents? locals youths? seniors? pensioners? retirees?
    elders? boys? girls? child children kids? teenagers? teens? bab(?:y|ies) toddlers? twins? siblings? mothers?
    fathers? mums? moms? dads? parents? grand(?:mother|father|parent|ma|pa|son|daughter|child)s? grandchildren sons?
    daughters? brothers? sisters? aunts? uncles? cousins? nephews? nieces? husbands? wi(?:fe|ves) brides? grooms?
    spouses? partners? lovers? boyfriends? girlfriends? friends? neighbou?rs? colleagues? classmates? guests? hosts?
    tourists? travell?ers? passengers? commuters? pedestrians? customers? clients? patients? visitors? artists?
    painters? sculptors? musicians? singers? rappers? drummers? guitarists? pianists? violinists? cellists? dancers?
    ballerinas? actors? actress(?:es)? models? poets? writers? authors? journalists? photographers? designers?
    architects? engineers? scientists? researchers? professors? teachers? students? pupils? librarians? doctors?
    physicians? surgeons? nurses? midwi(?:fe|ves) dentists? pharmacists? paramedics? therapists? vets? lawyers?
    judges? police_?(?:wo)?m[ae]n officers? firefighters? soldiers? veterans? pilots? sailors? astronauts? farmers?
    fisher(?:m[ae]n|wom[ae]n|folk) shepherds? herders? gardeners? bakers? chefs? cooks? butchers? waiters?
    waitress(?:es)? baristas? barbers? hairdressers? tailors? weavers? potters? carpenters? builders? plumbers?
    mechanics? electricians? welders? blacksmiths? drivers? couriers? cleaners? cashiers? clerks? shopkeepers?
    vendors? sellers? merchants? traders? managers? bosses ceos? founders? entrepreneurs? developers? programmers?
    workers? labou?rers? employees? volunteers? activists? politicians? presidents? ministers? mayors? kings? queens?
    princes? princess(?:es)? athletes? runners? swimmers? boxers? wrestlers? skaters? surfers? climbers? cyclists?
    players? footballers? gymnasts? coach(?:es)? captains? priests? priestess(?:es)? nuns? monks? imams? rabbis?
    pastors? bishops? clerics? clergy shamans? pilgrims? worshipp?ers? congregations? believers? widows? widowers?
    newlyweds grannies granny grandmas? grandpas? uncle auntie faces? portraits? hands? seekers? dwellers? owners?
    speakers? immigrants? refugees? migrants? amputees? survivors? heroes hero heroines? warriors? storytellers? elder
""")
NOUNS = alternatives(r"""
    immigrant refugee migrant emigrant asylum_seeker beggar slum_dweller pauper expat expatriate vagrant lesbian
    drag_queen drag_king paraplegic amputee wheelchair_user hijabi
""")
PLURALS = alternatives(r"""
    muslim moslem jew christian catholic protestant quaker mormon hindu sikh buddhist jain sufi yazidi atheist
    rastafarian gay bisexual homosexual transsexual newcomer african asian american european australian arab berber
    latino latina mexican brazilian cuban haitian jamaican nigerian ghanaian kenyan ethiopian somali egyptian moroccan
    algerian tunisian libyan indian pakistani bangladeshi afghan iranian iraqi syrian palestinian israeli saudi yemeni
    kurd turk russian ukrainian german italian greek spaniard dane swede norwegian scot brit korean indonesian filipino
    malaysian mongolian tibetan african_american asian_american native_american
""")
"""Of these only the plural is a person for sure: "a Mexican dish"."""
COLOURS = (
    "(?:(?:red|blue|green|white|black|pink|purple|yellow|orange|grey|gray|beige|golden|silver|turquoise|colou?rful"
    "|embroidered|patterned|silk|cotton|traditional|modern|elegant|motori[sz]ed|electric|manual|sports?|racing) ){0,2}"
)
"""What may stand in a phrase below; with any other word it is read: "a bloody turban"."""
STANDING = alternatives(r"""
    using_a_(?:wheelchair|walker|cane|white_cane|walking_frame) on_crutches with_(?:a_)?(?:crutch|crutches|walker)
    (?:who|that)_uses?_(?:a_)?wheelchairs? with_(?:a|his|her)_(?:white_)?cane with_down['’]?s?_syndrome
    with_cerebral_palsy with_dwarfism with_albinism with_autism with_vitiligo with_alopecia with_a_disability
    with_disabilities with_(?:a_)?prosthe[a-z]{1,6}(?:_(?:leg|arm|hand|foot|limb)s?)? with_(?:one|a_missing)_leg
    with_(?:a_)?hearing_aids? with_a_cochlear_implant with_(?:a|his|her)_guide_dog with_dementia
    with_alzheimer['’]?s after_chemotherapy on_chemotherapy
""")
SEATED = rf"in (?:(?:a|his|her|their) )?{COLOURS}wheelchairs?"
COVERED = (
    rf"(?:in|wearing|with) (?:(?:a|an|her|his|their) )?{COLOURS}"
    "(?:hijab|niqab|burk[ah]a?|burqa|chador|headscarf|turban|kippah|yarmulke|dastar|sari|abaya)s?"
)
NAMES = "(?:power|market|suprema|nationalis|roulette|razor|magic|powder|pride|widow|hole|out|death|mass|shark|russian)"
"""What makes another thing of the word before it, or a harm: "white power", "black market", "Russian roulette"."""
