"""Draws a scene: background, then subject on the left, then the object beside it on the right."""

import random

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from counterpoint.scenes.sprites import Sprites
from counterpoint.scenes.vocabulary import BACKGROUNDS, OBJECTS, SUBJECTS, Background
from counterpoint.scenes.world import Scene

SUBJECT_SIDES = (66, 70, 74)
"""Sides of the subject in 1/128 of the picture: few, so that renderings are reused."""
OBJECT_SIDES = (46, 49, 52)
"""Sides of the object in 1/128 of the picture: 5 to 6 latent cells of an f = 8 autoencoder."""
OVERLAP = 6
"""How far the object may reach over the subject, in 1/128 of the picture."""


def compose(scene: Scene, sprites: Sprites, rng: random.Random, size: int = 128) -> NDArray[np.uint8]:
    """Draw a scene; the same `rng` state gives the same pixels.

    Args:
        scene: What to show.
        sprites: Where the drawings come from.
        rng: Source of the jitter in place and size.
        size: Side of the picture in pixels.

    Returns:
        RGB picture, (H, W, 3), 0 to 255.

    Raises:
        ValueError: The size is below 32, too small to show an object.
        FileNotFoundError: A sprite is missing.
    """
    if size < 32:
        raise ValueError(f"Size {size} is too small. Choose at least 32 pixels.")
    unit = size / 128
    picture = _draw_background(BACKGROUNDS[scene.background], sprites, rng, size)
    subject_side = round(rng.choice(SUBJECT_SIDES) * unit)
    object_side = round(rng.choice(OBJECT_SIDES) * unit) if scene.object else 0
    margin = round(2 * unit)
    overlap = round(OVERLAP * unit) if scene.object else 0
    room = max(0, size - 2 * margin - subject_side - object_side + overlap)
    left = margin + (rng.randint(0, room) if scene.object else round(room * rng.uniform(0.2, 0.8)))
    top = size - subject_side - rng.randint(round(4 * unit), round(12 * unit))
    _paste(picture, sprites.get(SUBJECTS[scene.subject].sprite, subject_side), left, top)
    if scene.object is not None:
        # From touching the subject with the full overlap to the border, whichever comes first.
        nearest = left + subject_side - overlap
        object_left = rng.randint(nearest, max(nearest, size - margin - object_side))
        object_top = top + round(subject_side * rng.uniform(0.15, 0.4))
        object_top = min(object_top, size - margin - object_side)
        drawing = sprites.get(OBJECTS[scene.object].sprite, object_side)
        _paste(picture, drawing, object_left, object_top)
    return np.asarray(picture)


def _draw_background(background: Background, sprites: Sprites, rng: random.Random, size: int) -> Image.Image:
    """Fill sky and ground, then draw figures and sprites; all move with the horizon."""
    unit = size / 128
    horizon = round((background.horizon + rng.randint(-4, 4)) * unit)
    picture = Image.new("RGB", (size, size), background.sky)
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, horizon, size, size), fill=background.ground)
    for shape in background.shapes:
        left, top, right, bottom = (round(edge * unit) for edge in shape.box)
        box = (left, horizon + top, right - 1, horizon + bottom - 1)
        if shape.kind == "rectangle":
            draw.rectangle(box, fill=shape.colour)
        else:
            draw.ellipse(box, fill=shape.colour)
    for prop in background.props:
        left = round((prop.left + rng.randint(-4, 4)) * unit)
        drawing = sprites.get(prop.sprite, round(prop.size * unit))
        _paste(picture, drawing, left, horizon + round(prop.top * unit))
    return picture


def _paste(picture: Image.Image, drawing: Image.Image, left: int, top: int) -> None:
    picture.paste(drawing, (left, top), drawing)
