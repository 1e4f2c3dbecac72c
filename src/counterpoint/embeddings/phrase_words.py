"""English as `noun_phrase` sees it, in regular expressions: what ties a thing in, what describes it, where it ends."""

from __future__ import annotations

DETERMINER = r"(?:an?|the|some|his|her|its|their|my|your|two|three|four|five|six|several|many|both|another|one|no|\d+)"
NOUN_IN_ING = r"(?:paint|draw|build|cloth|even|morn|lightn|ceil|wedd|str|th|r|k|w)ings?"
DOING = rf"(?!{NOUN_IN_ING}\b)\w+ing"
DONE = r"(?:(?!\w*shaped|\w*eed\b)\w{3,}ed|stuck|hung|held|hidden|made|built|seen|drawn)"
WHERE = r"(?:(?:in|out)(?:side|doors)|(?:up|down)(?:town|stairs)|underwater|underground|overhead|here|there|nearby)"
PREPOSITION = (
    r"(?:(?:in front|on top|out|full) of|with|without|next to|near|beside|behind|between|above|below|across|along|by"
    r"|in|on|at|of|off|from|into|onto|to|under|over|through|towards?|against|for|around|inside|like|as)"
)
IS = r"(?:(?:who |that |which )?(?:is|are|was|were))"
HAS = r"(?:(?:who |that )?(?:has|have|holds?|wears?|carry|carries|wields?|shows?)|there (?:is|are))"
DOES = rf"(?:(?!(?:hi|it)s\b)\w\w+(?:s|ed)(?= {DETERMINER} ))"
"""A word in -s or -ed before an article is a verb: "raises" (a sword)."""
STANDS = r"(?:lie|sit|stand|rest|hang|lean|walk|run|flow|float|glow|rise|fall|drip|burn)s"
TIE = rf"(?:(?:(?:and|or|while) )?(?:{IS} )?(?:(?:{DONE} )?{PREPOSITION}|{DOING}|{HAS}|{DOES}))"
"""What ties a thing to what stands before it: "with", "and wearing", "covered in", "there is"."""
BREAK = rf"(?:{PREPOSITION}|{DOING}|{HAS}|{DETERMINER}|{IS}|and|or|whose?|that|which|while|there|\w+[^\Waius]s)"
"""No word within a noun phrase, after its first."""
WITHIN = rf"(?:(?!{BREAK}\b)[\w'-]+\s+)"
DESCRIPTION = rf"(?:\w+ing\s+)?{WITHIN}{{0,3}}"
"""The words of a noun phrase between its determiner and its noun: "very sharp"."""
NO_ARTICLE = rf"(?:(?:with|{HAS}|(?<=\w )(?<!\ba )(?<!\ban )(?<!\bthe ){DOING})\s+(?:\w+ing\s+|{WITHIN}){WITHIN}?)"
"""Tie and description of "wearing black" (lingerie); but not "a smiling man" (smokes)."""
DEGREE = r"(?:(?:(?!(?:fami|love|lone|elder|friend)ly)\w{4,}ly|fully|very|so|too|half)\s+)"
"""How much a quality is: "completely" (nude)."""
QUALITY = (
    r"(?:ing|ed|less|ous|ic|ly|nude|naked|topless|dead|drunk|violent|brutal|sexual|explicit|provocative|seductive"
    r"|obscene|bloody|gory|grisly|sexy|busty|skimpy|dirty|filthy|lusty|horny|curvy)$"
)
"""Ends of words that may describe what stands before them: "a woman naked on a bed"."""
HELD = (
    rf"(?:\s+(?:{DONE}|{DOING}))?\s+(?:in|on|between|at|over|above|from)\s+(?:{DETERMINER}\s+)?(?:(?:left|right)\s+)?"
    r"(?:hands?|mouth|teeth|lips|head|face|back|belt|lap|arms?|shoulders?|chest|neck|paws?|claws?|jaws)(?!\w| of)"
)
"""Where somebody has a thing: "in her right hand", "tucked in his belt"."""
END = (
    rf"(?:\s*(?:$|[^\w\s'-])|\s+(?:{PREPOSITION}|{DOING}|{DONE}|{WHERE}|{STANDS}|{DOES}|{DETERMINER}|{IS}"
    r"|and|or|who|that|which|while)(?!\w))"
)
"""What stands after a noun phrase: the word before it was its noun."""
