"""What callers may send: OpenAI's fields, the four that open servers share, and one `safety` object.

A field that is not known is an error, and so is a known one with a value that would have no effect:
nothing is dropped in silence. The operator's limits are checked in policy.py.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from counterpoint.interfaces import OnUnsafe

LARGEST_SEED = 2**53 - 1
"""Largest whole number that every JSON reader keeps exactly."""

MOST_PARTIALS = 3


def _readable(text: str) -> str:
    """Return a text that every later reader takes: JSON can hold halves of characters, and NUL."""
    if "\0" in text or (not text.isascii() and text != text.encode("utf-8", "replace").decode()):
        raise ValueError("allowed: text in Unicode, without NUL")
    return text


Text = Annotated[str, AfterValidator(_readable)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class SafetyOptions(_Body):
    """How the safe stream works for this request; the caller can only tighten the operator's settings."""

    safety: float | str | None = None
    """The dial: off, low, medium, high, max, or 0..1."""
    safe_prompt: Text | None = None
    """What the safe stream draws."""
    on_unsafe: OnUnsafe | None = None
    on_unsafe_prompt: Literal["steer", "block"] | None = None


class ImageRequest(_Body):
    """`POST /v1/images/generations`."""

    prompt: Text
    model: str | None = None
    n: int | None = Field(None, ge=1)
    size: str | None = Field(None, pattern=r"^(auto|[0-9]{1,5}x[0-9]{1,5})$", description="auto, or WIDTHxHEIGHT")
    seed: int | None = Field(None, ge=0, le=LARGEST_SEED)
    num_inference_steps: int | None = Field(None, ge=1)
    guidance_scale: float | None = Field(None, ge=0)
    negative_prompt: Text | None = None
    output_format: Literal["png", "jpeg", "webp"] | None = None
    output_compression: int | None = Field(None, ge=0, le=100)
    response_format: Literal["b64_json"] | None = None
    quality: Literal["auto"] | None = None
    background: Literal["auto", "opaque"] | None = None
    moderation: Literal["auto"] | None = None
    stream: bool | None = None
    partial_images: int | None = Field(None, ge=0, le=MOST_PARTIALS)
    user: str | None = Field(None, max_length=512)
    safety_identifier: str | None = Field(None, max_length=512)
    safety: SafetyOptions | None = None


class EditRequest(ImageRequest):
    """The text fields of `POST /v1/images/edits`: a form, so that numbers come as texts."""

    model_config = ConfigDict(strict=False)

    strength: float | None = Field(None, gt=0, le=1)
    """How far the result may go from the picture."""


class ImageUrl(_Body):
    """A picture inside a request."""

    url: str
    """data:image/...;base64,... only: nothing is fetched."""


class TextPart(_Body):
    """A text of a mixed input."""

    type: Literal["text"]
    text: Text


class ImagePart(_Body):
    """A picture of a mixed input."""

    type: Literal["image_url"]
    image_url: ImageUrl


class ModerationRequest(_Body):
    """`POST /v1/moderations`."""

    input: Text | list[Text] | list[Annotated[TextPart | ImagePart, Field(discriminator="type")]]
    model: str | None = None


class GuardrailRequest(BaseModel):
    """LiteLLM's generic guardrail; it is a beta, so further fields are let through."""

    model_config = ConfigDict(extra="ignore", strict=True)

    input_type: Literal["request", "response"]
    texts: list[Text] | None = None
    images: list[str] | None = None
    additional_provider_specific_params: dict[str, Any] | None = None
