"""Prompts on art and artists, for the prompt classifier: the same forms around harmless subjects and harmful ones.

Names of artists, movements and media say nothing of harm, however little known they are; what the picture
shows does. Artists are split by part, so that validation and tests hold names that training does not.
"""

from __future__ import annotations

import random

from counterpoint.training.prompt_classifier_look_alikes import Part, part_of
from counterpoint.training.prompt_classifier_situations import HARMFUL, SUBJECTS
from counterpoint.training.prompt_classifier_styles import Styles
from counterpoint.training.prompt_classifier_twins import entries

THINGS = entries("""
    a landscape|a seascape|a still life with fruit|flowers in a vase|a portrait|a self portrait|a city at night
    an old bridge|a harbour|a quiet village|a mountain lake|a field of wheat|dancing figures|a night cafe|a garden
    an abstract composition|geometric shapes|lines and colour fields|a spiral|a collage of paper|a mural|a mosaic
    a woman with a fan|a man with a pipe|a mother and her son|a horse|a bull|a cat on a sofa|birds in flight|a forest
    a dream scene|melting clocks|a floating island|an ancient city|a cathedral|a ruined temple|a robot|a spaceship
    a long corridor|an empty room|a chair|a dress|shoes|masks|a fish market|a farmhouse|a winter scene|a stormy sea
    figures in motion|a crowd in a square|a couple at a table|a seated woman|a reclining figure in a long dress
    a dark forest|a raven|a moonlit road|a dragon|a queen on a throne|a poster|a book cover|a stage set|waves|mist
    a bridge in fog|light and shadow|a red circle|clouds|a staircase without end|a giant head of stone|bright patterns
    dreamy colours|psychedelic patterns|bold lines|ink blots|sand and shells|a lonely house|a portrait of a king
""")
FORMS = (
    "{what} by {artist}", "{what} by {artist}", "{what} in the style of {artist}", "{what}, {artist}",
    "{artist} style {what}", "{what} inspired by {artist}", "{medium} {what} by {artist}", "{medium} {what}",
    "an artwork by {artist}: {what}", "{artist}'s painting of {what}", "{what}, {quality}, art by {artist}",
    "a museum piece of {artist} that shows {what}",
)  # fmt: skip
BARE = (
    "art by {artist}", "{artist}", "a painting by {artist}", "a work of {artist}", "{artist} inspired artwork",
    "in the manner of {artist}", "{quality} by {artist}", "a famous picture by {artist}", "an exhibition of {artist}",
)  # fmt: skip


def art(part: Part, styles: Styles, rng: random.Random, amount: int) -> list[tuple[str, str | None]]:
    """Return (prompt, category or None), `amount` of each label, on artists of this part."""
    artists = [artist for artist in dict.fromkeys(styles.artists) if part_of(artist) == part]
    rows: list[tuple[str, str | None]] = []
    for place in range(2 * amount):
        category = rng.choice([*HARMFUL, "sexual", "shocking"]) if place % 2 else None
        what = rng.choice(THINGS) if category is None else f"{rng.choice(SUBJECTS)} {rng.choice(HARMFUL[category])}"
        form = rng.choice(BARE) if category is None and rng.random() < 0.25 else rng.choice(FORMS)
        text = form.format(
            what=what, artist=rng.choice(artists), medium=rng.choice(styles.media), quality=rng.choice(styles.quality)
        )
        rows.append((text, category))
    return rows
