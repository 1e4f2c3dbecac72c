"""The operator's settings: one TOML file, or environment variables COUNTERPOINT_NAME, or both.

Flags of the command line go before the environment, and that before the file. A name that is not
known is an error in all three: a misspelt floor must not be no floor.
"""

from __future__ import annotations

import ipaddress
import os
import tomllib
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PlainValidator, SecretStr, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from counterpoint.engines.local_weight import LocalWeight
from counterpoint.gate_settings import read_gate_settings
from counterpoint.interfaces import InvalidInput, OnUnsafe, Point
from counterpoint.levels import resolve_safety
from counterpoint.loading import PictureDetectorName
from counterpoint.provenance.manifest import Credentials, read_credentials
from counterpoint.risk_weight import RiskWeight
from counterpoint.server.body_limit import MOST_IN_FLIGHT
from counterpoint.server.service_links import is_service_link, without_service_links

ENV_PREFIX = "COUNTERPOINT_"
EMBEDDED = "embedded"
SHORTEST_KEY = 16
Dial = Annotated[float, PlainValidator(resolve_safety)]
"""A level's name or a number 0..1, resolved to the number."""


def _table(name: str, kind: type[Any]) -> Callable[[Any], Any]:
    """Return the validator of a setting that is a table: the fields of `kind`, each with its own limits."""
    known = [one.name for one in fields(kind)]

    def read(value: Any) -> Any:
        if value is None or isinstance(value, kind):
            return value
        if not isinstance(value, dict) or not set(value) <= set(known):
            raise InvalidInput(name, value, f"a table with {', '.join(known)}")
        try:
            return kind(**value)
        except InvalidInput as error:
            raise InvalidInput(f"{name}.{error.field}", error.value, error.allowed) from None
        except TypeError:
            raise InvalidInput(name, value, f"numbers for {', '.join(known)}") from None

    return read


Risk = Annotated[RiskWeight | None, PlainValidator(_table("risk", RiskWeight))]
Local = Annotated[LocalWeight | None, PlainValidator(_table("local", LocalWeight))]


class Settings(BaseSettings):
    """All settings, checked; each description is the documentation's."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, extra="forbid", frozen=True, validate_default=True)

    host: str = Field("127.0.0.1", description="Address to listen on; other than loopback only with `api_keys`.")
    port: int = Field(8000, ge=0, le=65535, description="Port; 0 takes a free one.")
    api_keys: tuple[SecretStr, ...] = Field(
        (),
        description="Keys that callers send as `Authorization: Bearer KEY` or `x-api-key: KEY`, "
        f"at least {SHORTEST_KEY} characters.",
    )
    models: dict[str, str] = Field(
        {EMBEDDED: EMBEDDED}, min_length=1,
        description="Models by the name that callers use: a diffusers folder, or `embedded`. The first is the default.",
    )  # fmt: skip
    safety: Dial = Field("medium", description="The dial where the caller names none: a level, or 0..1.")  # type: ignore[assignment]
    min_safety: Dial = Field("medium", description="Floor of the dial: callers may ask for more, not for less.")  # type: ignore[assignment]
    on_unsafe: OnUnsafe = Field(
        "steer",
        description="What happens to a picture that a picture detector calls unsafe: flag, blur, steer or block, "
        "mildest first; callers may ask for a stricter one.",
    )
    on_unsafe_prompt: Literal["steer", "block"] = Field(
        "steer", description="What happens where the gate engages: steer the picture, or refuse. Callers may tighten."
    )
    picture_detectors: tuple[PictureDetectorName, ...] = Field(
        (),
        description="Who looks at finished pictures: `scenes_checker` (embedded model only), `open_nsfw`, `nudenet`.",
    )
    doubt_from: float = Field(
        0.05, gt=0.0, le=1.0,
        description="Score of a picture detector from which `steer` draws a picture again whose prompt was unsafe, "
        "though it is called safe.",
    )  # fmt: skip
    gates: tuple[Path, ...] = Field(
        (),
        description="Files of `counterpoint calibrate`: each model takes the one fitted to its text encoder, and does "
        "not start without; none = the standard gate.",
    )
    gate_point: Point = Field(
        "balanced",
        description="Working point of the gate's classifier: `steer` alarms on most, `balanced` on about one "
        "in ten harmless prompts of users, `block` on least.",
    )
    risk: Risk = Field(
        None,
        description="Table with `floor`, `low`, `high`: the weight of the mix follows the gate's score, from `floor` "
        "at the score `low` to the level's own at `high`.",
    )
    local: Local = Field(
        None,
        description="Table with `threshold`, `softness`, `smooth`: mix only where the two streams disagree.",
    )
    reuse: int | None = Field(
        None,
        ge=1,
        description="At every how many mixed steps the safe stream runs; 1 = at each, none = 2 from 20 steps on.",
    )
    watermark: bool = Field(True, description="Whether pictures carry the invisible mark (sides from 64 pixels).")
    watermark_key: SecretStr = Field(
        SecretStr("counterpoint"), description="Names the mark's pattern; the default is public."
    )
    c2pa_certificate: Path | None = Field(
        None, description="PEM file with the certificate, and those above it, that C2PA manifests are signed with."
    )
    c2pa_key: Path | None = Field(None, description="PEM file with its private key (PKCS#8, no password).")
    steps: int = Field(30, ge=1, description="Denoising steps where the caller names none.")
    max_steps: int = Field(100, ge=1, description="Most denoising steps.")
    max_n: int = Field(
        10, ge=1, description="Most pictures of one request; left out, no more than `max_queue` and `max_per_key` take."
    )
    max_pixels: int = Field(1024 * 1024, ge=1, description="Most pixels of one picture, drawn or sent.")
    max_guidance_scale: float = Field(30.0, ge=0, description="Largest guidance scale.")
    max_prompt_chars: int = Field(
        4000, ge=1, description="Most characters of one text; the model's own limit holds too."
    )
    max_body_bytes: int = Field(10 * 2**20, ge=1024, description="Most bytes of one request.")
    max_bodies_bytes: int = Field(
        MOST_IN_FLIGHT, ge=1024,
        description="Most bytes of all requests under way, those that still arrive too; more is answered 503.",
    )  # fmt: skip
    max_connections: int = Field(
        1000, ge=1, description="Most connections, idle ones too; on further ones each request is answered 503."
    )
    max_queue: int = Field(32, ge=1, description="Most pictures that wait, per model; more is answered 503.")
    max_per_key: int = Field(16, ge=1, description="Most pictures that one key has under way; more is answered 429.")
    max_checks_per_key: int = Field(
        64, ge=1, description="Most texts and pictures that one key has under check; more is answered 429."
    )
    max_batch: int = Field(4, ge=1, description="Most pictures that are drawn in one call; 1 draws each alone.")
    exact_seeds: bool = Field(
        True,
        description="Whether a picture whose seed the caller names is drawn alone: in company its pixels may differ by "
        "one level of 255.",
    )
    batch_wait_ms: int = Field(5, ge=0, le=1000, description="How long a batch that is not full waits for company.")
    deadline_seconds: float = Field(
        120.0, gt=0, allow_inf_nan=False, description="Waiting and drawing together; past it the answer is 504."
    )
    drain_seconds: int = Field(120, ge=1, description="What a stopping server gives to requests under way.")
    idempotency_seconds: float = Field(
        86400.0, ge=0, allow_inf_nan=False, description="How long an answer is kept for its `Idempotency-Key`."
    )
    idempotency_bytes: int = Field(64 * 2**20, ge=0, description="Memory for kept answers; the oldest go first.")
    log_key: SecretStr | None = Field(
        None, description="Key of the hashes of prompts and API keys in the log; without it each start has its own."
    )
    docs: bool = Field(False, description="Whether /docs and /openapi.json are served.")

    @model_validator(mode="after")
    def _check(self) -> Settings:
        if "safety" not in self.model_fields_set:
            object.__setattr__(self, "safety", max(self.safety, self.min_safety))  # frozen for everybody else
        if self.safety < self.min_safety:
            raise InvalidInput("safety", self.safety, f"{self.min_safety}..1, from min_safety")
        if self.steps > self.max_steps:
            raise InvalidInput("steps", self.steps, f"1..{self.max_steps}, up to max_steps")
        if self.max_bodies_bytes < self.max_body_bytes:
            raise InvalidInput("max_bodies_bytes", self.max_bodies_bytes, f"from {self.max_body_bytes}, max_body_bytes")
        room = min(self.max_queue, self.max_per_key)
        if "max_n" not in self.model_fields_set:
            object.__setattr__(self, "max_n", min(self.max_n, room))
        if self.max_n > room:
            raise InvalidInput("max_n", self.max_n, f"1..{room}, what max_queue and max_per_key take at once")
        if (self.c2pa_certificate is None) != (self.c2pa_key is None):
            raise InvalidInput("c2pa_key", self.c2pa_key, "together with c2pa_certificate, or neither")
        for path in self.gates:
            _check_gate(path)
        if any(len(key.get_secret_value()) < SHORTEST_KEY for key in self.api_keys):
            raise InvalidInput("api_keys", "a shorter key", f"keys of at least {SHORTEST_KEY} characters")
        if not self.api_keys and not is_loopback(self.host):
            raise InvalidInput("host", self.host, "127.0.0.1 or another loopback address while there are no api_keys")
        return self

    def credentials(self) -> Credentials | None:
        """Read what C2PA manifests are signed with; None where they are not.

        Raises:
            InvalidInput: A file cannot be read, or the two do not fit.
        """
        if self.c2pa_certificate is None or self.c2pa_key is None:
            return None
        return read_credentials(self.c2pa_certificate, self.c2pa_key)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def load_settings(file: Path | None = None, **given: Any) -> Settings:
    """Read the settings.

    Args:
        file: TOML file, or None.
        given: What goes before the file and the environment; None counts as not given.

    Raises:
        InvalidInput: A setting is not known or not allowed, or the file cannot be read.
    """
    _check_environment()
    if file is not None:
        _check_file(file)

    class WithFile(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            assert isinstance(env_settings, EnvSettingsSource)
            env_settings.env_vars = without_service_links(env_settings.env_vars)
            toml = () if file is None else (TomlConfigSettingsSource(settings_cls, file),)
            return init_settings, env_settings, *toml

    try:
        return WithFile(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        if isinstance(cause := first.get("ctx", {}).get("error"), InvalidInput):
            name = _field(first)
            inner = cause.field if cause.field.startswith(f"{name}.") else name  # a field of a table
            raise InvalidInput(inner or cause.field, cause.value, cause.allowed) from None
        raise InvalidInput(_field(first), "a wrong value", first["msg"]) from None
    except InvalidInput:
        raise
    except ValueError as error:  # an environment variable that is no JSON
        raise InvalidInput("environment", "a value that cannot be read", str(error)) from None


def config_table() -> str:
    """Return the settings as a Markdown table, for the documentation."""
    fields = Settings.model_fields.items()
    rows = ["| setting | default | what it says |", "|---|---|---|"]
    rows += [f"| `{name}` | {_shown(field.default)} | {field.description} |" for name, field in fields]
    return "\n".join(rows)


def _check_gate(path: Path) -> None:
    try:
        read_gate_settings(path)
    except InvalidInput as error:
        raise InvalidInput("gates", str(path), error.allowed) from None


def _shown(default: Any) -> str:
    value = default.get_secret_value() if isinstance(default, SecretStr) else default
    if value is None or value == ():
        return "none"
    return str(value).lower() if isinstance(value, bool) else f"`{value}`"


def _field(error: Any) -> str:
    return ".".join(str(part) for part in error["loc"])


def _check_environment() -> None:
    for name, value in os.environ.items():
        if not name.upper().startswith(ENV_PREFIX) or is_service_link(name, value):
            continue
        if name.upper().removeprefix(ENV_PREFIX).lower() not in Settings.model_fields:
            raise InvalidInput(name, "set", f"{ENV_PREFIX}NAME with the name of a setting")


def _check_file(file: Path) -> None:
    try:
        with file.open("rb") as content:
            tomllib.load(content)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidInput("config", str(file), f"a TOML file that can be read ({error})") from None
