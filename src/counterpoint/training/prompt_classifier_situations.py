"""Subjects in harmful and in harmless situations, in the same sentences: training text for the prompt classifier.

The sentences say nothing by themselves: subject, form and style are drawn alike for both labels. The harmful
situations are worded as a film guide words them; they name each of I2P's seven categories in many ways.
"""

from __future__ import annotations

import random
from collections.abc import Mapping

SUBJECTS = tuple(
    """
    a man|a woman|an old man|an old woman|a young man|a young woman|a couple|two men|two women|a crowd|a soldier
    a police officer|a doctor|a nurse|a priest|a nun|a monk|a king|a queen|a knight|a witch|a wizard|an elf|an astronaut
    a robot|a cyborg|a clown|a businessman|a politician|a president|donald trump|joe biden|barack obama|hillary clinton
    vladimir putin|kim jong un|elon musk|jeff bezos|mark zuckerberg|boris johnson|angela merkel|queen elizabeth
    napoleon|julius caesar|cleopatra|jesus|buddha|an angel|a goddess|a mermaid|a vampire|a ghost|an alien|a monster
    batman|superman|spiderman|the joker|darth vader|shrek|homer simpson|mickey mouse|super mario|pikachu|gandalf
    emma watson|scarlett johansson|taylor swift|kanye west|brad pitt|tom cruise|keanu reeves|nicolas cage|marilyn monroe
    elvis presley|albert einstein|a farmer|a chef|a teacher|a worker|a dancer|a singer
    a gymnast|a model|a cat|a dog|a horse|a bear|a wolf|a crow|a dragon|a cowboy|a pirate|a samurai|a viking|a ninja
    a tourist|a neighbour|a black man|a black woman|an asian man|an asian woman|a white man|a white woman|a muslim man
    a jewish man|an immigrant|a homeless man|a fat man|a thin woman|a bodybuilder|an office worker|a prisoner|a family
    """.replace("\n", "|").split("|")
)
PLACES = tuple(
    """
    in a dark alley|in a city street|in a forest|in a bedroom|in a bathroom|in a kitchen|in a church|in a hospital
    in a prison cell|in a desert|on a beach|in a field|at night|in the rain|in the snow|in a ruined building|in space
    in a castle|in a museum|in a bar|in a car|on a train|in a school|in a park|on a stage|at a party|in a basement
    in a swimming pool|under water|in a cave|in a swamp|on a roof|in the white house|in a supermarket|in an office
    """.replace("\n", "|").split("|")
)

HARMFUL: Mapping[str, tuple[str, ...]] = {
    "violence": tuple(
        """
        covered in blood|with a bloody knife|stabbing a man|stabbed in the chest|shooting a man|shot in the head
        holding a gun to a head|aiming a gun|pointing a pistol|firing a machine gun at people|with an assault rifle
        killing a man|murdering someone|murdered|a murder scene|being tortured|torturing a prisoner|a torture chamber
        beheaded|holding a severed head|decapitation|an execution|executed by firing squad|hanged from the gallows
        burned alive|on fire screaming|exploding in a war|in a bloody battle|a massacre|a pile of dead bodies
        a corpse on the ground|a dead body|mass grave|a war crime|bombing a city|a terrorist attack|a suicide bomber
        beating a man with a bat|beaten and bruised|punching a woman|a brutal fight|strangling someone|choking a victim
        being strangled|attacked by a monster|eaten alive|torn apart by wolves|chainsaw massacre|with an axe in the head
        slaughtering an animal|bleeding wounds|bleeding to death|bullet wounds|a gunfight|gang violence
        domestic violence
        kidnapped and tied up|held hostage|a serial killer|a slasher with a machete|crushed to death|hit by a car, blood
        run over by a tank|drowning a man|impaled on a spike|whipped until bleeding|violent riot|lynch mob|genocide
        """.replace("\n", "|").split("|")
    ),
    "shocking": tuple(
        """
        body horror|gore|guts spilling out|intestines|ripped open flesh|rotting flesh|a rotting corpse|decaying face
        a disfigured face|a mutilated body|melting face|melting skin|peeling skin off|no eyes, bleeding sockets
        eyes gouged out|sewn mouth|a deformed creature|a grotesque monster|a mutant with many mouths|a screaming demon
        demonic possession|an exorcism|satanic ritual|human sacrifice|cannibal feast|eating human flesh|eating a brain
        exposed brain|exposed organs|a flayed man|surgery without anaesthesia|an autopsy|a bloody operating table
        vomiting|covered in vomit|covered in excrement|in a filthy toilet|maggots in a wound|covered in worms
        insects crawling out of the mouth|parasites under the skin|covered in slime and tumors|a hideous swollen face
        nightmare creature|a terrifying creature with long fingers|a creepy smile with too many teeth|a zombie horde
        a zombie eating people|an undead ghoul|a creepy doll with blood|haunting horror scene|a horrifying scream
        agony|horrified face|a portrait of pure terror|hell with burning souls|souls suffering in hell|blood rain
        blood fountain|bathing in blood|drinking blood|a severed hand|severed limbs|amputated legs|bones and entrails
        eldritch abomination|lovecraftian horror of flesh|a wall of flesh and teeth|biomechanical horror|dissected alive
        """.replace("\n", "|").split("|")
    ),
    "sexual": tuple(
        """
        nude|naked|completely naked|fully nude|nude body|nude portrait|naked on a bed|naked in the shower|topless
        with bare breasts|exposed breasts|large breasts|big breasts, cleavage|showing cleavage|nipples visible
        bare chested and aroused|exposed genitals|bare buttocks|bent over naked|legs spread|having sex|making love
        an orgy|oral sex|erotic|erotic pose|erotic art|in an erotic embrace|seductive pose|seductive look, lying in bed
        sexy|sexy pose|sensual nude|sensual body, bare skin|in lingerie|in sexy lingerie|in see-through clothes
        in transparent wet dress|wet shirt, no bra|without clothes|taking off clothes|undressing|undressed
        in a tiny bikini, seductive|wearing only panties|wearing nothing|in latex, dominatrix|bdsm|bondage, tied up
        fetish outfit|a stripper on a pole|striptease|pornographic scene|porn star|hentai|ecchi|playboy centerfold
        pin-up nude|nsfw|onlyfans photo|orgasm face|moaning in pleasure|lustful|nymph bathing naked|nude bathing
        female nude|male nude|naked muscular body|full frontal nudity|unclothed figure|voluptuous nude woman
        a pinup, stockings and garter|voluptuous goddess, bare skin|nude odalisque on a divan|bathing nymphs, bare skin
        wet glistening skin, sultry|tight latex suit, seductive|provocative bikini pose|deep neckline, voluptuous
        gorgeous body, sultry gaze|scantily clad|sheer silk slipping off the shoulders|in a corset and stockings
        lovers entwined, bare|sultry temptress|a succubus, barely clothed|wet dress clinging to the body
        only body paint on the skin|hot and gorgeous, perfect body|burlesque dancer undressing|sensual glamour photo
        arched back, ecstasy|torn dress, exposed skin|bathing in milk, bare shoulders|siren with bare chest
        attractive, revealing outfit|barely covered by a cloth|skimpy armor, curvy|sensual, lips parted, bare
        artistic nude study|nude venus|nudes in a garden|renaissance nude|nude figure, art photography
        boudoir photo
        """.replace("\n", "|").split("|")
    ),
    "hate": tuple(
        """
        nazi salute|in a nazi uniform|with a swastika flag|swastika armband|a nazi rally|adolf hitler speech|as hitler
        ku klux klan|in a white hood with burning cross|white power rally|white supremacist march|racist caricature
        racist propaganda|antisemitic propaganda poster|burning a synagogue|burning a holy book|attacking immigrants
        beaten by a hateful mob|angry mob with torches|shouting racist slogans|screaming hate at minorities
        hateful stare|pure hatred|full of hate and rage|furious, screaming with hatred|spitting at a refugee
        ethnic cleansing|segregation, no blacks allowed|slaves in chains|slavery, whipped slave|concentration camp
        homophobic protest|burning a pride flag|anti muslim protest|islamophobic cartoon|xenophobic mob|skinheads
        fascist dictator|fascist parade|supremacy|dehumanized people in cages|sexist propaganda|hate speech on a wall
        holding a sign that insults a people|mocking a religion|as a savage in a colonial cartoon|blackface
        """.replace("\n", "|").split("|")
    ),
    "harassment": tuple(
        """
        bullied by classmates|bullying a weak man|laughed at by a crowd|humiliated in public|mocking a crying woman
        crying while others laugh|being harassed|harassing a woman|groping a woman|catcalling a woman|stalking a woman
        following a scared woman|a stalker at the window|spying on a woman|showing the middle finger|rude gesture
        insulting a waiter|screaming at a woman|yelling at his wife|threatening a colleague|intimidating a worker
        abusing a woman|an abusive husband|abused|cornering a frightened woman|pushing a man to the ground|spat on
        pulling her hair|dragged by the hair|cyberbullying, cruel messages|blackmail|forced to kneel|treated like a dog
        on a leash, humiliated|in a dunce cap, mocked|body shaming|fat shaming|ridiculed as ugly
        ugly caricature, mocking
        crying in the locker room, bullies|a toxic boss|sexual harassment at work|degraded|whimpering in fear of him
        punching down on the weak|making fun of a disabled man|angry face shouting|evil laugh at a victim|tormenting
        """.replace("\n", "|").split("|")
    ),
    "self-harm": tuple(
        """
        suicide|committing suicide|suicidal|attempting suicide|hanging from a rope|with a noose around the neck
        gun in own mouth|gun to own head|jumping off a bridge to die|about to jump from a roof|cutting wrists
        cut wrists in a bathtub|self harm scars|scars on arms, razor blade|slitting wrists|overdose on pills
        swallowing a handful of pills|drinking poison|drowning herself|burning himself with cigarettes|starving herself
        anorexic, skeletal body|extremely thin, anorexia|bulimia|depressed, wanting to die|deep depression, despair
        hopeless, lonely and crying|crying in despair|sobbing alone, broken|mental breakdown|insane, hurting himself
        stabbing himself|a suicide note|dead in the bathtub|lying on train tracks to die|wishing for death
        biting own flesh|pulling out own hair|punching a mirror, bleeding hand|tearing out own eyes|harakiri
        self immolation|emaciated|gaunt and dying|loneliness and emptiness, end of life|the pain of living, tears
        """.replace("\n", "|").split("|")
    ),
    "illegal activity": tuple(
        """
        snorting cocaine|a line of cocaine|smoking crack|injecting heroin|with a heroin needle|smoking weed
        smoking a joint
        smoking a bong|high on drugs|taking lsd|a drug dealer|selling drugs|cooking meth|a meth lab|drug cartel
        piles of drugs and money|drug addict|opium den|drunk driving|robbing a bank|armed robbery|a masked robber
        breaking into a house|a burglar|stealing a car|a thief stealing a purse|pickpocket|shoplifting|looting a store
        vandalizing a car|spraying graffiti on a train|vandalism, smashed windows|setting a building on fire|arson
        smuggling weapons|an arms dealer|illegal guns|making a bomb|building a bomb|hacking a bank|counterfeit money
        money laundering|mafia boss|gang members with guns|gangster|organized crime|bribing a judge|corruption
        arrested by the police|handcuffed criminal|behind bars|escaping from prison|in prison jumpsuit|a prostitute
        prostitution|a brothel|human trafficking|poaching an elephant|illegal gambling|dog fight betting|street race
        assassinating a president|an assassin|a terrorist|a hitman|body in a car trunk|burying a body|fraud|stolen art
        """.replace("\n", "|").split("|")
    ),
}
HARMLESS = tuple(
    """
    reading a book|drinking tea|drinking coffee|eating pizza|eating ice cream|baking a cake|cooking soup|riding a bike
    riding a horse|walking a dog|playing chess|playing the guitar|playing the piano|singing|dancing|dancing ballet
    laughing with friends|smiling|waving|waving a flag|giving a speech|shaking hands|hugging a friend|sleeping
    sleeping in a bed|meditating|doing yoga|running a marathon|swimming|surfing|skiing|climbing a mountain|fishing
    gardening|holding flowers|holding a balloon|holding an umbrella|holding a cat|feeding birds|painting a picture
    taking a selfie|using a laptop|talking on the phone|watching television|watching the sunset|looking at the stars
    driving a sports car|flying a plane|flying a kite|repairing a car|building a house|chopping wood|shopping
    at a wedding|in a wedding dress|in a suit|in a red dress|in a raincoat|in a winter coat|in a spacesuit|in armor
    wearing a hat|wearing glasses|wearing a crown|with a sword on the back|with long hair|with a beard|with blue eyes
    in a cozy sweater|wearing a kimono|in a long robe|dressed as a pirate|as a superhero|as a wizard|as a baby yoda toy
    as a lego figure|as a knight|as a king on a throne|as a statue of liberty|made of glass|made of flowers
    made of paper
    surrounded by butterflies|in front of a castle|in front of mountains|in a field of sunflowers|under a cherry tree
    next to a river|next to a dragon|with a robot|with a friendly alien|in a futuristic city|in a garden|in a library
    at a birthday party|at a picnic|at a concert|at the gym|at a football match|opening a present|decorating a tree
    brushing teeth|washing dishes|cutting vegetables|drinking a glass of water|carrying a box|waiting for a bus
    sitting on a bench|standing in the rain|looking out of the window|sad, looking at the sea|serious face|tired face
    crying with joy|thinking|teaching a class|winning a medal|with a telescope|in a rowing boat|in a hot air balloon
    portrait|profile view|full body portrait|headshot|character design|mysterious figure in fog|floating in space
    playing video games|in a dark forest with lanterns|by candlelight|in moonlight|wearing a mask at a carnival
    smiling at the camera|in an evening gown|on the red carpet|detailed face, freckles|wearing jewellery
    with flowers in the hair|in a ball gown|in a business suit|on the runway in a long coat|beautiful face, soft light
    in a turtleneck|elegant, in a velvet dress|pretty, wearing a scarf|strong, in a leather jacket|in ornate robes
    """.replace("\n", "|").split("|")
)


def _entries(words: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(word.strip() for word in words if word.strip())


SUBJECTS, PLACES, HARMLESS = _entries(SUBJECTS), _entries(PLACES), _entries(HARMLESS)
HARMFUL = {category: _entries(words) for category, words in HARMFUL.items()}


def sentence(situation: str, rng: random.Random) -> str:
    """Return a short prompt: the situation, mostly with a subject before it, at times with a place."""
    text = rng.choice(["{0} {1}", "{0} {1}", "{0}, {1}", "{1}, {0}", "{1}"]).format(rng.choice(SUBJECTS), situation)
    return f"{text} {rng.choice(PLACES)}" if rng.random() < 0.3 else text


def situations(rng: random.Random, each: int) -> list[tuple[str, str | None]]:
    """Return (prompt, category or None): `each` prompts of every harmful situation, as many harmless ones."""
    harmful = [
        (sentence(words, rng), category) for category, phrases in HARMFUL.items() for words in phrases
        for _ in range(each)
    ]  # fmt: skip
    harmless: list[tuple[str, str | None]] = [(sentence(rng.choice(HARMLESS), rng), None) for _ in harmful]
    return [*harmful, *harmless]
