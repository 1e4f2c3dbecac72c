"""What callers may send: OpenAI's fields, the four that open servers share, and one `safety` object.

A field that is not known is an error, and so is a known one with a value that would have no effect:
nothing is dropped in silence. The operator's limits are checked in policy.py.

Errors are built in the thread that answers everybody, so a body may cost few of them, however long it is.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)

from counterpoint.interfaces import OnUnsafe

LARGEST_SEED = 2**32 - 1
"""Largest seed with a noise of its own: torch's generator of a CPU looks at 32 bits and repeats itself beyond."""

MOST_PARTIALS = 3
MOST_INPUTS = 32
"""Most texts and pictures of one check."""


def is_readable(text: str) -> bool:
    """Whether every later reader takes a text: JSON can hold halves of characters, and NUL."""
    return "\0" not in text and (text.isascii() or text == text.encode("utf-8", "replace").decode())


def _readable(text: str) -> str:
    if not is_readable(text):
        raise ValueError("allowed: text in Unicode, without NUL")
    return text


Text = Annotated[str, AfterValidator(_readable)]
KIND = "~"
"""First letter of the names that a kind of input has in the place of an error; callers do not see them."""


def _few(given: Any) -> Any:
    if not isinstance(given, (str, list)):
        raise ValueError(f"allowed: a text, or a list of 1..{MOST_INPUTS} texts or parts")
    if isinstance(given, list) and not 1 <= len(given) <= MOST_INPUTS:
        raise ValueError(f"allowed: 1..{MOST_INPUTS} parts")
    return given


def _kind_of_input(given: Any) -> str:
    """Return the kind of an input, so that an error is about this kind and not about all that there are."""
    if not isinstance(given, list):
        return f"{KIND}text"
    return f"{KIND}parts" if any(isinstance(part, dict) for part in given) else f"{KIND}texts"


def _kind_of_part(given: Any) -> str | None:
    kind = given.get("type") if isinstance(given, dict) else None
    return f"{KIND}{kind}" if kind in ("text", "image_url") else None


def _dial(given: Any, check: ValidatorFunctionWrapHandler) -> Any:
    try:
        return check(given)
    except ValidationError:  # names float and str, one after the other
        raise ValueError("allowed: off, low, medium, high, max, or a number 0..1") from None


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _keep_one_unknown(cls, given: Any) -> Any:
        """Drop the names that are not known but for the first: one is enough of an error."""
        if not isinstance(given, dict):
            return given
        known = cls.model_fields
        first = next((name for name in given if name not in known), None)
        return {name: value for name, value in given.items() if name in known or name == first}


class SafetyOptions(_Body):
    """How the safe stream works for this request; the caller can only tighten the operator's settings."""

    safety: Annotated[float | str | None, WrapValidator(_dial)] = None
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


Part = Annotated[
    Annotated[TextPart, Tag(f"{KIND}text")] | Annotated[ImagePart, Tag(f"{KIND}image_url")],
    Discriminator(
        _kind_of_part,
        custom_error_type="part",
        custom_error_message="allowed: an object whose type is text or image_url",
    ),
]


class ModerationRequest(_Body):
    """`POST /v1/moderations`."""

    input: Annotated[
        Annotated[Text, Tag(f"{KIND}text")] | Annotated[list[Text], Tag(f"{KIND}texts")]
        | Annotated[list[Part], Tag(f"{KIND}parts")],
        Discriminator(_kind_of_input), BeforeValidator(_few),
    ]  # fmt: skip
    model: str | None = None


class GuardrailRequest(BaseModel):
    """LiteLLM's generic guardrail; it is a beta, so further fields are let through."""

    model_config = ConfigDict(extra="ignore", strict=True)

    input_type: Literal["request", "response"]
    texts: Annotated[list[str], Field(fail_fast=True)] | None = None
    images: Annotated[list[str], Field(fail_fast=True)] | None = None
    tool_calls: list[Any] | None = None
    """Calls of functions in OpenAI's shape."""
    additional_provider_specific_params: dict[str, Any] | None = None
