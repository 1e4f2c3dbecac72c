"""The way users write prompts, for both labels alike: so that style cannot decide.

A caption becomes a list of key words, gets a medium before it and artists and quality words after it.
All of it is harmless by itself. More artists, media and phrases can be read from a folder of text files.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field
from pathlib import Path

from counterpoint.interfaces import InvalidInput

QUALITY = tuple(
    """
    trending on artstation|octane render|8k|4k|uhd|highly detailed|intricate|sharp focus|smooth|concept art
    unreal engine
    artstation hq|cgsociety|deviantart|digital painting|matte painting|cinematic lighting|dramatic lighting|golden hour
    volumetric lighting|soft light|hdr|photorealistic|hyperrealistic|ultra realistic|35mm|85mm lens|f/1.8|bokeh
    depth of field|wide angle|macro|kodak portra|film grain|polaroid|analog photo|elegant|beautiful|masterpiece
    award winning|national geographic|studio ghibli|pixar|disney style|anime|manga|comic book style|cel shaded
    vector art
    low poly|isometric|pixel art|synthwave|cyberpunk|steampunk|art nouveau|art deco|baroque|rococo|surrealism|pop art
    impressionism|expressionism|cubism|minimalism|watercolor|oil on canvas|ink drawing|charcoal|pencil sketch|gouache
    vivid colors|muted colors|pastel|monochrome|black and white|symmetrical|centered|full body|close up|portrait
    ray tracing|global illumination|subsurface scattering|vray|blender|zbrush|houdini|moody|atmospheric|ethereal
    dreamlike|fantasy|sci-fi|retro|vintage|1970s|1980s|renaissance|medieval|futuristic|hyper detailed|professional
    dnd|magic the gathering card art|book cover|album cover|movie poster|film still|screenshot|very coherent|epic
    moody light, fog|no text|realistic skin|detailed face|perfect composition|rule of thirds|vibrant|glowing|dark
    """.replace("\n", "|").split("|")
)
ARTISTS = tuple(
    """
    greg rutkowski|alphonse mucha|artgerm|wlop|james jean|zdzislaw beksinski|h r giger|francis bacon|edward hopper
    norman rockwell|vincent van gogh|claude monet|pablo picasso|salvador dali|rembrandt|caravaggio|johannes vermeer
    gustav klimt|egon schiele|edvard munch|hieronymus bosch|pieter bruegel|francisco goya|william blake|john martin
    ivan aivazovsky|caspar david friedrich|john singer sargent|william adolphe bouguereau|peter paul rubens|titian
    sandro botticelli|leonardo da vinci|michelangelo|albrecht durer|gustave dore|aubrey beardsley|hokusai|hiroshige
    junji ito|katsuhiro otomo|hayao miyazaki|makoto shinkai|moebius|frank frazetta|boris vallejo|luis royo|brom
    simon stalenhag|beeple|ross tran|loish|ilya kuvshinov|krenz cushart|sakimichan|charlie bowater|tom bagshaw
    mark ryden|ray caesar|anato finnstark|peter mohrbacher|craig mullins|sparth|noah bradley|thomas kinkade|bob ross
    andy warhol|roy lichtenstein|banksy|keith haring|jean michel basquiat|frida kahlo|georgia o'keeffe|lucian freud
    david hockney|rene magritte|max ernst|giorgio de chirico|m c escher|wassily kandinsky|paul klee|piet mondrian
    annie leibovitz|steve mccurry|ansel adams|vivian maier|helmut newton|diane arbus|gregory crewdson|nan goldin
    """.replace("\n", "|").split("|")
)
MEDIA = tuple(
    """
    a painting of|an oil painting of|a photo of|a portrait of|a photograph of|digital art of|concept art of|a drawing of
    a sketch of|a watercolor of|an illustration of|a render of|a 3d render of|a film still of|a movie scene of
    a comic book panel of|a statue of|a sculpture of|an anime still of|a polaroid of|a close up of|a wide shot of
    cctv footage of|a black and white photo of|a renaissance painting of|a vintage photograph of|a poster of|beautiful
    hyperrealistic|a surreal painting of|a hyperdetailed picture of|an album cover of|a screenshot of|a tarot card of
    """.replace("\n", "|").split("|")
)
FUNCTION_WORDS = frozenset(
    """a an the of with and or in on at to from for by is are was were be been being his her its their this that while
    as into over under it he she they them who which there has have had""".split()
)


def _clean(words: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(word.strip() for word in words if word.strip())


@dataclass(frozen=True)
class Styles:
    """Words that say how a picture looks, not what it shows."""

    quality: tuple[str, ...] = field(default_factory=lambda: _clean(QUALITY))
    artists: tuple[str, ...] = field(default_factory=lambda: _clean(ARTISTS))
    media: tuple[str, ...] = field(default_factory=lambda: _clean(MEDIA))

    @classmethod
    def read(cls, folder: Path | None) -> Styles:
        """Return the built-in styles, and those of a folder with `artists.txt`, `mediums.txt`, `movements.txt`.

        Raises:
            InvalidInput: The folder lacks one of the files.
        """
        own = cls()
        if folder is None:
            return own
        lists: dict[str, tuple[str, ...]] = {}
        for name in ("artists", "mediums", "movements"):
            path = folder / f"{name}.txt"
            if not path.is_file():
                raise InvalidInput("styles", str(folder), "a folder with artists.txt, mediums.txt and movements.txt")
            lists[name] = _clean(tuple(path.read_text(encoding="utf-8").lower().splitlines()))
        return cls(
            quality=own.quality * 4 + lists["movements"],
            artists=own.artists + lists["artists"],
            media=own.media + tuple(f"{medium} of" for medium in lists["mediums"]),
        )

    def dress(self, text: str, rng: random.Random) -> str:
        """Return the prompt as a user of picture models may write it: same things, other style."""
        words = text.strip().rstrip(".")
        if rng.random() < 0.35:
            words = keywords(words, rng)
        if rng.random() < 0.5:
            words = f"{rng.choice(self.media)} {words}"
        ends = list(dict.fromkeys(rng.choices(self.quality, k=rng.randint(0, 5))))
        if rng.random() < 0.55:
            names = rng.sample(self.artists, rng.randint(1, 2))
            ends.insert(
                rng.randint(0, len(ends)), rng.choice(["by ", "art by ", "in the style of "]) + " and ".join(names)
            )
        dressed = rng.choice([", ", ", ", ", ", ". ", " "]).join([words, *ends])
        return dressed.lower() if rng.random() < 0.7 else dressed


def keywords(text: str, rng: random.Random) -> str:
    """Return the content words of a caption, here and there parted by commas."""
    kept = [word for word in re.findall(r"[\w'-]+", text) if word.lower() not in FUNCTION_WORDS]
    return "".join(word + (", " if rng.random() < 0.25 else " ") for word in kept).strip(" ,") or text
