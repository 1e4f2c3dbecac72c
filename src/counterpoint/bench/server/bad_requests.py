"""Requests that are wrong in a known place, and valid ones at the edge of what is allowed."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from counterpoint.bench.server.asking import GENERATIONS
from counterpoint.bench.server.bad_pictures import good_picture
from counterpoint.bench.server.sending import (
    EDITS,
    FORM,
    GUARDRAIL,
    MODERATIONS,
    ROUTES,
    File,
    Part,
    Sent,
    as_form,
    as_json,
    form,
)

CHEAP = {"prompt": "a dog in a forest", "size": "64x64", "num_inference_steps": 1}
"""What is left of a request that should be refused and is not costs one step."""
CHEAP_EDIT = {**CHEAP, "strength": 1}
OBJECT = "allowed: one JSON object"
MISSING = object()
"""In the place of a value: the field is left out."""


@dataclass(frozen=True, kw_only=True)
class Wrong:
    """Values that a field must not have."""

    place: tuple[str, ...]
    told: str
    """What the message has to say; "" = anything."""
    values: Sequence[Any]
    also: Mapping[str, Any] = field(default_factory=dict)
    """Other fields without which the values would be right."""

    @property
    def name(self) -> str:
        """How the refusal calls it."""
        return ".".join(self.place)


def _row(name: str, told: str, *values: Any, **also: Any) -> Wrong:
    return Wrong(place=tuple(name.split(".")), told=told, values=values, also=also)


FIELDS = [
    _row("prompt", "not empty", "", " ", "\n\t"), _row("prompt", "required", MISSING),
    *(_row(name, "at most 4000 characters", "a" * 4001, "\u00e9" * 5000, "dog " * 9000)
      for name in ("prompt", "negative_prompt", "safety.safe_prompt")),
    *(_row(name, "tokens", "dog " * 200, "a cat, " * 300)
      for name in ("prompt", "negative_prompt", "safety.safe_prompt")),
    *(_row(name, "NUL", "a\0b", "\0") for name in ("prompt", "negative_prompt", "safety.safe_prompt")),
    _row("safety.safe_prompt", "not empty", "", " "),
    *(_row(name, "512", "a" * 513, "\u00e9" * 9000) for name in ("user", "safety_identifier")),
    _row("n", "1", 0, -1, -(2**63)), _row("n", "1..10", 11, 2**31, 2**64, 10**400),
    _row("n", "1 with stream", 2, 10, stream=True),
    _row("size", "auto", "16", "x", "64x64x64", "-64x64", "64X64", "64x", "6.4x64", "999999x64", "\uff16\uff14x64",
         "64x64 ", "AUTO", "", "1024*1024", "64x64\n"),
    _row("size", "multiples of 16", "65x64", "0x0", "8x64", "64x63", "99999x99999", "4096x4096"),
    _row("seed", "0", -1, -(2**40)), _row("seed", "4294967295", 2**32, 2**64), _row("seed", "", 10**4000),
    _row("seed", "4294967294", 2**32 - 1, n=2),
    _row("num_inference_steps", "1", 0, -5), _row("num_inference_steps", "1..100", 101, 10**9, 2**70),
    _row("guidance_scale", "0", -0.5, -1e308), _row("guidance_scale", "0..30", 30.5, 1e308),
    _row("guidance_scale", "finite", float("nan"), float("inf"), float("-inf")),
    _row("output_format", "'png', 'jpeg' or 'webp'", "gif", "PNG", "svg", "", "png\n"),
    _row("output_compression", "png is lossless", 0, 50, 100),
    _row("output_compression", "0", -1, output_format="jpeg"),
    _row("output_compression", "100", 101, 10**9, output_format="webp"),
    _row("response_format", "'b64_json'", "url", "", "B64_JSON"), _row("quality", "'auto'", "hd", "low", "standard"),
    _row("background", "'auto' or 'opaque'", "transparent"), _row("moderation", "'auto'", "low", "off"),
    _row("partial_images", "stream: true", 1, 3), _row("partial_images", "0", -1, stream=True),
    _row("partial_images", "3", 4, 99, stream=True),
    _row("safety.safety", "0..1", 1.5, -0.5, "extreme", "", "1e9", "-1"),
    _row("safety.safety", "the operator's floor", 0.0, 0.1, "off", "low"),
    _row("safety.safety", "", float("nan"), float("inf")),
    _row("safety.on_unsafe", "'steer'", "ask", "", "BLOCK", "flag "),
    _row("safety.on_unsafe_prompt", "'steer' or 'block'", "ask", "draw"),
    _row("model", "embedded", "dall-e-3", "", "embedded ", "a" * 9000),
]  # fmt: skip
"""Of pictures and edits."""
OTHER: tuple[Any, ...] = ([], [1], {}, {"a": 1}, [[]])
TYPES = [
    *(_row(name, "valid string", 1, 0.5, True, *OTHER)
      for name in ("prompt", "negative_prompt", "model", "size", "user", "safety_identifier", "safety.safe_prompt")),
    *(_row(name, "valid integer", "2", 1.5, True, *OTHER)
      for name in ("n", "seed", "num_inference_steps", "output_compression", "partial_images")),
    _row("guidance_scale", "valid number", "2", True, *OTHER), _row("stream", "boolean", "yes", 1, 0.0, *OTHER),
    *(_row(name, "'", 1, True, *OTHER)
      for name in ("output_format", "response_format", "quality", "background", "moderation", "safety.on_unsafe",
                   "safety.on_unsafe_prompt")),
    _row("safety", "object", 1, 0.5, True, "high", [], [1], [{}]), _row("safety.safety", "", True, *OTHER),
    _row("prompt", "valid string", None),
    *(_row(name, "Unicode", "\ud800", "a\udfffb") for name in ("prompt", "negative_prompt", "safety.safe_prompt")),
]  # fmt: skip
"""Of JSON: in a form all values are texts."""
FORM_ONLY = [
    *(_row(name, "valid integer", "two", "1.5", "", "0x2", "1e2")
      for name in ("n", "seed", "num_inference_steps", "output_compression", "partial_images")),
    _row("guidance_scale", "valid number", "two", "", "1,5"), _row("stream", "boolean", "maybe", "", "2"),
    _row("strength", "0", "0", "-1"), _row("strength", "1", "1.5", "1e9"), _row("strength", "finite", "nan", "inf"),
    _row("strength", "valid number", "half", ""), _row("strength", "from 1", "0.5", "1e-9"),
    _row("safety", "object", "high", "{}", '{"safety": "high"}'),
]  # fmt: skip
INPUTS = [
    _row("input", "required", MISSING), _row("input", "", 1, None, True, {}, {"type": "text", "text": "a"}, [1], [[]]),
    _row("input", "1..32", [], ["a"] * 33, ["a"] * 5000), _row("input", "not empty", "", " ", ["a", ""]),
    _row("input", "4000", "a" * 4001, ["a", "b" * 9000]), _row("input", "tokens", "dog " * 200, ["a", "dog " * 200]),
    _row("input", "NUL", "a\0b", ["a", "\0"], [{"type": "text", "text": "a\0"}]),
    _row("input", "Unicode", "\ud800", ["a", "\udfff"]),
    _row("input", "", ["a", 1], ["a", None], [{"type": "text"}], [{"type": "audio", "text": "a"}], [{"text": "a"}],
         [{"type": "text", "text": 1}], [{"type": "image_url"}],
         [{"type": "image_url", "image_url": {}}], [{"type": "image_url", "image_url": {"url": 1}}],
         [{"type": "text", "text": "a"}, "a"]),
    _row("model", "embedded", "gpt-4o", ""), _row("model", "valid string", 1, True, *OTHER),
]  # fmt: skip
"""Of moderations."""
GUARDED = [
    _row("input_type", "required", MISSING),
    _row("input_type", "'request' or 'response'", "", "REQUEST", "other", None, 1, *OTHER),
    *(_row(name, "valid list", 1, "a", True, {}, {"a": 1}) for name in ("texts", "images", "tool_calls")),
    *(_row(name, "valid string", [1], [None, "a"], [[]], [{}, "a"]) for name in ("texts", "images")),
    _row("additional_provider_specific_params", "valid dictionary", 1, "a", [], True),
]  # fmt: skip
"""Of the guardrail, which lets unknown fields through."""
ROWS = {GENERATIONS: FIELDS + TYPES, EDITS: FIELDS + FORM_ONLY, MODERATIONS: INPUTS, GUARDRAIL: GUARDED}
WRONG_TYPES = (
    "text/plain", "application/x-www-form-urlencoded", FORM, "application/xml", "application/octet-stream", "image/png",
    "a", "",
)  # fmt: skip


def bad_requests(rng: random.Random, count: int) -> list[Sent]:
    """Return requests that have to be refused, the routes in turn."""
    ways: list[Callable[[random.Random, str], Sent]] = [_wrong_fields] * 5
    ways += [_unknown_field, _nested, _broken, _wrong_type]
    return [rng.choice(ways)(rng, ROUTES[number % len(ROUTES)]) for number in range(count)]


def body_of(rng: random.Random, path: str) -> dict[str, Any]:
    """Return a valid body; of a form, its texts."""
    if path == MODERATIONS:
        return {"input": rng.choice(["a dog", ["a dog", "a cat"], [{"type": "text", "text": "a dog"}]])}
    if path == GUARDRAIL:
        return {"input_type": rng.choice(["request", "response"]), "texts": ["a dog"]}
    some = {"seed": 1, "guidance_scale": 3.0, "negative_prompt": "fog", "n": 1, "user": "a", "quality": "auto"}
    named = {name: value for name, value in some.items() if rng.random() < 0.3}
    return {**(CHEAP_EDIT if path == EDITS else CHEAP), **named}


def send(kind: str, path: str, body: Mapping[str, Any], wrong: Mapping[str, str] | None = None, side: int = 64) -> Sent:
    """Return a body in the shape of its route, with a picture where that takes one."""
    if path != EDITS:
        return as_json(kind, path, body, wrong)
    return as_form(kind, [*_texts(body), ("image", File(content=good_picture(random.Random(0), side=side)))], wrong)


def _texts(body: Mapping[str, Any]) -> list[Part]:
    parts: list[Part] = []
    for name, value in body.items():
        if isinstance(value, Mapping):
            parts += [(f"{name}[{inner}]", str(one)) for inner, one in value.items()]
        else:
            parts.append((name, str(value).lower() if isinstance(value, bool) else str(value)))
    return parts


def _wrong_fields(rng: random.Random, path: str) -> Sent:
    body, wrong = body_of(rng, path), {}
    rows = rng.choices(ROWS[path], k=rng.choice((1, 1, 1, 2, 3)))
    chosen = {row.place[0]: row for row in rows}
    for row in chosen.values():
        body.update({name: value for name, value in row.also.items() if name not in chosen})
    for row in chosen.values():
        put(body, row.place, rng.choice(row.values))
        wrong[row.name] = row.told
    return send("a wrong field", path, body, wrong)


def put(body: dict[str, Any], place: Sequence[str], value: Any) -> None:
    """Put a value into a body, or take a field out."""
    *outer, last = place
    for name in outer:
        body = body.setdefault(name, {})
    if value is MISSING:
        body.pop(last, None)
    else:
        body[last] = value


def _unknown_field(rng: random.Random, path: str) -> Sent:
    if path == GUARDRAIL:
        return _wrong_fields(rng, path)
    body = body_of(rng, path)
    name = rng.choice(
        ["style", "prompt_embeds", "latents", "Prompt", "__class__", "".join(rng.choices("abcdeé$_", k=9))]
    )
    inside = path != MODERATIONS and rng.random() < 0.5
    if path == EDITS and inside:
        name = "level"
    put(body, ("safety", name) if inside else (name,), rng.choice([1, "a", "x" * 999, [0.0], True]))
    return send("an unknown field", path, body, {f"safety.{name}" if inside else name: "no such parameter"})


def _nested(rng: random.Random, path: str) -> Sent:
    """Nest the value of a field, or the whole body, deeply."""
    depth = rng.choice((3, 50, 900, 990, 1000, 5000, 50_000))
    if path == EDITS:
        return send("deep nesting", path, {**CHEAP_EDIT, "safety" + "[a]" * min(depth, 2000): "1"}, {"": ""})
    start, end = rng.choice((("[", "]"), ('{"a":', "}")))
    deep = start * depth + "1" + end * depth
    if rng.random() < 0.3:
        return Sent(kind="deep nesting", path=path, content=deep.encode(), wrong={"": ""})
    body, name = body_of(rng, path), {MODERATIONS: "input", GUARDRAIL: "texts"}.get(path, "prompt")
    whole = json.dumps({**body, name: 0}).replace(f'"{name}": 0', f'"{name}": {deep}')
    return Sent(kind="deep nesting", path=path, content=whole.encode(), wrong={name: "", "body": OBJECT})


def _broken(rng: random.Random, path: str) -> Sent:
    """Break the body's syntax."""
    if path == EDITS:
        return _broken_form(rng)
    whole = json.dumps(body_of(rng, path)).encode()
    content = rng.choice(
        [
            whole[: rng.randrange(len(whole))], whole + rng.choice([b"}", b",", b"a", whole]),
            whole.replace(b'"', b"'"), whole.replace(b":", b"=", 1),
            whole[:-1] + b",}", rng.randbytes(rng.randrange(1, 400)), b"\xff" + whole, whole.replace(b"a", b"\xff", 1),
            b"[" + whole + b"]", rng.choice([b"", b"null", b"1", b'"a"', b"[]", b"true", b"NaN"]),
            whole[:-1] + b', "a": ' + b"9" * rng.choice((5000, 100_000)) + b"}",
        ]
    )  # fmt: skip
    return Sent(kind="broken JSON", path=path, content=content, wrong={"body": OBJECT})


def _broken_form(rng: random.Random) -> Sent:
    picture, told = File(content=good_picture(random.Random(0))), {"body": "multipart/form-data"}
    parts: list[Part] = [*_texts(CHEAP_EDIT), ("image", picture)]
    whole = form([("image", picture), *_texts(CHEAP_EDIT), ("safety[safety]", "max")])
    cut = whole[: -rng.randrange(3, rng.choice((200, len(whole))))]
    kinds: list[tuple[str, bytes, dict[str, str]]] = [
        ("a form without its end", cut, {}),
        ("a form with another border", form(parts).replace(b"a-border", b"a-bored"), {}),
        ("a part without a name", form(parts).replace(b'name="prompt"', b"name"), {}),
        ("a field twice", form([*parts, ("prompt", "a cat")]), {"prompt": "once"}),
        ("a picture twice", form([*parts, ("image[]", picture)]), {"image": "once"}),
        ("too many fields", form([*parts, *((f"a{number}", "1") for number in range(99))]), told),
        ("too many files", form([*parts, *(("image", picture) for _ in range(9))]), told),
        ("a long field", form([*parts, ("user", "a" * 99_000)]), told),
        ("a text as a file", form([*parts[1:], ("prompt", picture)]), {"prompt": "no such file"}),
        ("no picture", form(parts[:-1]), {"image": "one file"}),
        ("a picture as a text", form([*parts[:-1], ("image", "iVBORw0KGgo=")]), {"image": "one file"}),
        ("random bytes", rng.randbytes(rng.randrange(400)), {}),
    ]
    kind, content, wrong = rng.choice(kinds)
    return Sent(kind=kind, path=EDITS, content=content, content_type=FORM, wrong=wrong or {"": ""})


def _wrong_type(rng: random.Random, path: str) -> Sent:
    """Name another content type than that of the body."""
    body = body_of(rng, path)
    kinds: tuple[str, ...]
    if path == EDITS:
        sent = rng.choice([as_json("", path, body), send("", path, body)])
        kinds = ("application/json", "multipart/form-data", "multipart/mixed", "text/plain", "", "image/png")
        told = "multipart/form-data"
    else:
        sent, kinds, told = as_json("", path, body), WRONG_TYPES, OBJECT
    kind, wrong = rng.choice(kinds), {"body": told}
    return Sent(kind="another content type", path=path, content=sent.content, content_type=kind, wrong=wrong)
