"""Pipelines that are refused, and why: a message says more than a name that is missing in a list."""

from __future__ import annotations

_TWO_STAGES = "the prompt steers another model before the denoiser, which the safe stream does not reach"
_READS_PICTURES = "its prompt is read together with a picture that the gate cannot see"
_EDITS = "it edits a picture by instruction, where a safe prompt has no twin"
_EXISTS = "it enlarges a picture that exists already"
_ONE_PICTURE = "diffusers 0.42 itself fails in it where a call has more than one picture"
_ONE_PROMPT = "a call of it draws one prompt: of a list it makes one text"
_REWRITES = "a language model may write another prompt after the gate has read this one"
_NO_COUNT = "it does not tell how many steps it takes at a strength below 1, and each of them has to be accounted for"
_NOT_TRIED = "no family names it: nobody has tried it yet"

UNSUPPORTED: dict[str, str] = {
    "StableCascadeCombinedPipeline": _TWO_STAGES,
    "KandinskyCombinedPipeline": _TWO_STAGES,
    "KandinskyV22CombinedPipeline": _TWO_STAGES,
    "IFImg2ImgPipeline": _NO_COUNT,
    "IFInpaintingPipeline": _NO_COUNT,
    "KandinskyPipeline": _TWO_STAGES,
    "KandinskyImg2ImgPipeline": _TWO_STAGES,
    "KandinskyInpaintPipeline": _TWO_STAGES,
    "StableUnCLIPPipeline": _TWO_STAGES,
    "GlmImagePipeline": _TWO_STAGES,
    "LongCatImagePipeline": _REWRITES,
    "ErnieImagePipeline": _REWRITES,
    "OmniGenPipeline": "it has no text encoder that the gate could read with: its denoiser reads the words itself",
    "Flux2KleinKVPipeline": "it keeps what it made of a reference picture, and the safe rows would share it",
    "HunyuanImageRefinerPipeline": "it refines a picture that exists already",
    "PRXPipeline": _ONE_PICTURE,
    "PRXPixelPipeline": _ONE_PICTURE,
    "DreamLitePipeline": _ONE_PROMPT,
    "DreamLiteMobilePipeline": _ONE_PROMPT,
    "LDMTextToImagePipeline": "its call has no argument for several pictures of a prompt, which the tests ask for",
    "QwenImageLayeredPipeline": "it takes a picture that exists already apart into layers",
    "ZImageOmniPipeline": "its denoiser is told a list of texts a row, in which the engine does not find the prompt",
    "BriaFibo2Pipeline": "it rewrites a prompt that is JSON, and reads pictures of its words with it, behind the gate",
    "Kandinsky5I2IPipeline": _READS_PICTURES,
    "ChromaInpaintPipeline": "diffusers 0.42 itself fails in it: it reads a setting that Chroma does not have",
    "FluxKontextPipeline": _EDITS,
    "QwenImageEditPipeline": _READS_PICTURES,
    "BlipDiffusionControlNetPipeline": _READS_PICTURES,
    "StableDiffusionInstructPix2PixPipeline": _EDITS,
}
KINDS: tuple[tuple[str, str], ...] = (
    ("Onnx", "its denoiser is no PyTorch network, which hooks could be attached to"),
    ("Edit", _EDITS),
    ("Pix2Pix", _EDITS),
    ("Kontext", _EDITS),
    ("Combined", _TWO_STAGES),
    ("Cascade", _TWO_STAGES),
    ("Wuerstchen", _TWO_STAGES),
    ("Upscale", _EXISTS),
    ("SuperResolution", _EXISTS),
)
"""The same for all classes whose name holds a word; the first that fits counts."""


def reason_against(cls: type) -> str:
    """Return why a pipeline class that belongs to no family is refused."""
    name = cls.__name__
    if name in UNSUPPORTED:
        return UNSUPPORTED[name]
    if ".deprecated." in cls.__module__:
        return "diffusers has deprecated it"
    return next((reason for word, reason in KINDS if word in name), _NOT_TRIED)
