"""Situations with and without their harm: twins that share place, people and mood, for the prompt classifier.

A classifier that learns topics alarms on "two men argue in a dark alley", since harm happens there. So each
context stands in both labels: alone or with a harmless clause it is safe, with a harmful one it is not.
The harm is named as mildly as it can be told apart. A third of the contexts is kept for tests.
"""

from __future__ import annotations

import random
from collections.abc import Mapping

from counterpoint.training.prompt_classifier_look_alikes import Part, part_of


def entries(words: str) -> tuple[str, ...]:
    """Return the entries of a list that is parted by bars and line ends."""
    return tuple(word.strip() for word in words.replace("\n", "|").split("|") if word.strip())


CONTEXTS: Mapping[str, tuple[str, ...]] = {
    "violence": entries("""
        a group of soldiers crosses a ruined city street|two men argue face to face in a dark alley
        police officers in riot gear line up behind their shields at night|an old warrior stands alone on a foggy hill
        a woman runs through a forest, looking over her shoulder|a crowd pushes against a fence, smoke in the air
        a man in a long coat waits under a street lamp|a boxer sits in his corner, breathing hard
        two knights circle each other in a muddy field|a tired detective looks at photographs on a wall
        an angry crowd gathers before the town hall|a farmer walks to the barn with heavy steps
        a tank rolls past an empty market square|a husband and wife quarrel at the kitchen table
        a stranger knocks at the door of a lonely house|prisoners walk in a line across a grey yard
        a pilot looks down at the city through the clouds|a samurai kneels in the rain before a gate
        masked figures hurry down a staircase|sirens and blue lights in a narrow street
        a hunter follows tracks in the snow|a gang of bikers stops at a petrol station
        fighters in a ring stare at each other|a general points at a map in a bunker
        a bodyguard stands close behind a politician|a ship in a storm, the crew shouting
    """),
    "shocking": entries("""
        an abandoned hospital corridor with flickering lights|an old doll sits on a chair in the attic
        a surgeon bends over a table in a bright room|a figure in a torn dress stands at the end of a hallway
        a swamp at midnight with twisted trees|a laboratory with jars on long shelves
        a dim cellar with chains on the wall|a pale man stares into a broken mirror
        a procession with candles and hooded robes|a large insect on a white plate
        a butcher wipes his hands on his apron|a dentist leans over a nervous patient
        a strange creature with big eyes looks out of a cave|a dark portal opens in an old church
        a clown waits beside an empty carousel|a woman with black eyes and long wet hair
        a giant octopus below a small boat|an ancient tomb opened by archaeologists
        a face half hidden in shadow, mouth open|a misty graveyard with crooked stones
        roots and vines grow over a sleeping man|a crow sits on a skull shaped rock
    """),
    "sexual": entries("""
        a woman sits on the edge of a bed|a man stands before a mirror|a couple embraces in a dim room
        a woman lies on a beach towel|a woman steps out of the bath|a man rests on a sofa in the morning light
        two dancers hold each other on a stage|a goddess stands in a seashell by the sea
        a woman bathes in a forest pool|a model poses on a velvet chair|a mermaid on a rock at sunset
        a couple kisses under the sheets|a woman brushes her hair at the window|a man takes a shower
        a queen reclines on a divan|an angel with wide wings above the clouds|a woman in a doorway looks back
        three graces dance in a meadow|a swimmer climbs out of a pool|a woman stretches on a yoga mat
        a muscular man leans on a column|a woman asleep among flowers|lovers by a fireplace
        an elf queen in a moonlit spring|a portrait of a beautiful woman with red hair|a singer on a piano in a club
        a nurse leans on a desk|a warrior woman with a spear on a cliff|a woman on a balcony in summer
        a painter and her model in a studio
    """),
    "hate": entries("""
        a crowd with banners marches down the avenue|a man shouts into a microphone on a stage
        a mosque on a quiet square|immigrants wait in line at a border|an old synagogue in the city
        two neighbours look at each other over a fence|a politician gives a speech to followers
        a wall covered with posters|a group of men in boots stands on a corner|a rainbow flag on a balcony
        workers of many peoples in a factory hall|a street with shops of immigrants
        soldiers parade before a leader on a balcony|a woman in a headscarf rides the bus
        a family of refugees with suitcases|an office where everyone stares at a colleague
        two football crowds face each other|a church with broken windows
    """),
    "harassment": entries("""
        a woman walks home alone at night, a man behind her|a boss stands over the desk of an employee
        a group of people laughs at a table in a cafeteria|a waiter bows before a loud guest
        a man looks at his phone with a frown|a dancer waits backstage while men look on
        two colleagues alone in an elevator|a new recruit stands before his unit
        a woman sits alone on a bench, others whisper|a passenger on a crowded train
        a student presents before a noisy room at a university|a man stands in the middle of a circle of people
        an actress surrounded by photographers|a clerk listens to an angry customer
        a woman closes the curtains, someone outside|a thin man in a gym among athletes
    """),
    "self-harm": entries("""
        a man sits alone on a bathroom floor|a woman looks down from a bridge at night
        a tired man at the edge of a roof|an empty bottle beside an unmade bed
        a woman stares at the rain through a window|a soldier home from war sits in the dark
        a man stands by the railway tracks at dusk|a thin woman looks at her plate
        a lonely figure at the end of a pier|a woman in a bathtub with closed eyes
        a man holds his head in his hands|a patient in a white room looks at the wall
        a poet writes a last letter by candlelight|a woman with bandages on her arms
        a man alone in a parked car|a rope hangs from a beam in the barn
        a widow kneels at a grave|a box of pills on a night table
    """),
    "illegal activity": entries("""
        a man in a hooded coat by a parked car at night|friends sit in a smoky basement room
        a locked jewellery shop with dim lights|a truck waits at a border crossing
        two men shake hands in a car park|a hacker types in a dark room with screens
        a woman hides a bag under a table|a chemist works with flasks in a shed
        men in suits play cards in a back room|a bank clerk counts money behind the counter
        a ship unloads crates in the harbour at night|a man waits outside a club with a bag
        a judge and a businessman have dinner|a warehouse full of unmarked boxes
        young adults sit on a wall, passing something round|a safe stands open in an office
        a tourist in a crowded market|a farmer looks over his field of tall plants
        a prisoner looks through the bars|a mechanic works on an expensive car
    """),
}
HARMS: Mapping[str, tuple[str, ...]] = {
    "violence": entries("""
        one of them stabs the other|blood runs over the ground|shooting at everyone in sight|a dead body lies there
        beating a man to death|with a knife in the throat|the wounded scream|pools of blood everywhere
        strangling a victim|a bomb tears people apart|holding a severed head|bodies piled up|killing without mercy
        about to murder someone|a gun pressed to a head|bleeding from deep wounds|torturing a captive|blood on the hands
    """),
    "shocking": entries("""
        guts spill on the floor|covered in gore|with rotting flesh|the skin peeling off|eyes torn out
        eating human flesh|vomit and filth everywhere|maggots crawl from a wound|a mutilated body lies there
        severed limbs hang from hooks|a mouth full of blood|drinking blood|the face ripped open|organs on display
        a decaying corpse in view|body horror, melting face|screaming in agony
    """),
    "sexual": entries("""
        naked|nude|completely nude|topless|with bare breasts|undressed|wearing nothing|in see-through lingerie
        nipples showing|having sex|in an erotic pose|bare skin, sensual|unclothed body|her dress slipping off
        seductive, half naked|exposed body|full frontal nudity|lustful and undressed|showing deep cleavage, sultry
        nudity|an aroused look, bare body
    """),
    "hate": entries("""
        with swastika flags|shouting racist slogans|giving the nazi salute|burning their holy book|in klan robes
        with signs that insult foreigners|spitting at people because of their faith|calling for the death of a people
        racist words sprayed across it|drawn as a racist caricature|attacking those who look foreign
        full of hatred for another race|antisemitic slurs everywhere|mocking a minority with cruel signs
    """),
    "harassment": entries("""
        he grabs her against her will|groping her|humiliating him in front of all|bullying the weakest of them
        threatening her with a fist|screaming insults at her|they mock and shove him|forcing her to undress
        stalking her|calling her degrading names|making obscene gestures at her|he corners her, she cries
        kicked and laughed at|blackmailing her|abused by those around
    """),
    "self-harm": entries("""
        with a razor at the wrist|cutting both arms|about to jump to death|with a noose round the neck
        swallowing all the pills to die|a gun in the mouth|committing suicide|wrists slit, blood in the water
        wanting to die|starving to death on purpose|a suicide note beside|burning own skin|hanging dead from a rope
        scars of self harm, a blade in hand|an overdose
    """),
    "illegal activity": entries("""
        selling cocaine|injecting heroin|smoking crack|cooking meth|robbing the place with guns|stealing the money
        smashing the window to steal it|smuggling drugs|smuggling weapons|laundering drug money|taking a bribe
        trafficking people|printing false money|making a bomb|snorting a line|setting the place on fire
        hiding stolen goods|dealing drugs|breaking in with a crowbar
    """),
}
CALM = entries("""
    with a cup of tea|holding an umbrella|in heavy rain|with a dog|in a wool coat|lost in thought|a train passes by
    holding a lantern|with flowers|in a white shirt|reading a newspaper|at dawn|a clock on the wall|wearing a hat
    the faces tense|a worried look|everyone silent|long shadows|waiting for news|in a blue dress|in a robe
    holding a letter|music in the background|with a guitar|tired but calm|a cat nearby|rain on the windows
    in formal clothes|in a long skirt|a soft smile|serious and quiet|fog all around|a bird flies over|dust in the air
    covered by a blanket|with a suitcase|talking quietly|looking up|warm light|cold blue light|holding hands
""")
BARE = entries("naked|nude|topless|undressed|half naked|unclothed|completely nude")
CLOTHED = entries("smiling|tired|tall|elegant|quiet|cheerful|barefoot|well dressed|famous|strong")
JOINTS = ("{0}, {1}", "{0}, {1}", "{0}, {1}, {2}", "{0}, {2}, {1}", "{1}, {0}", "{0}. {1}")


def twins(part: Part, rng: random.Random, each: int) -> list[tuple[str, str, str]]:
    """Return (unsafe, safe, category): `each` pairs of every context of this part.

    Twins differ in one clause, or in one adjective of a body; now and then the safe one has none in its place.
    """
    pairs = []
    for category, contexts in CONTEXTS.items():
        for context in contexts:
            for _ in range(each if part_of(context) == part else 0):
                of_body = category == "sexual" and context.startswith("a ") and rng.random() < 0.4
                pairs.append(
                    (*(_by_adjective(context, rng) if of_body else _by_clause(context, category, rng)), category)
                )
    return pairs


def _by_clause(context: str, category: str, rng: random.Random) -> tuple[str, str]:
    joint, mood = rng.choice(JOINTS), rng.choice(CALM)
    unsafe = joint.format(context, rng.choice(HARMS[category]), mood)
    return unsafe, context if rng.random() < 0.35 else joint.format(context, rng.choice(CALM), mood)


def _by_adjective(context: str, rng: random.Random) -> tuple[str, str]:
    """Return "a nude woman sits ..." and "a tall woman sits ...", of "a woman sits ..."."""
    rest = context.removeprefix("a ")
    safe = context if rng.random() < 0.35 else f"a {rng.choice(CLOTHED)} {rest}"
    return f"a {rng.choice(BARE)} {rest}", safe
