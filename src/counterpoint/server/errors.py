"""What callers are told when there is no picture: OpenAI's error shape, one table.

    400 invalid_request_error       a field holds what it must not hold; `param` names it
    400 moderation_blocked          refused: `moderation_details` has the stage and the categories
    401, 404, 405, 408, 409, 413, 422   key, route or model, method, slow body, idempotency, too large
    429 rate_limit_exceeded         this key has too much under way
    503                             the server's own state, or a failure: nothing was returned
    504 deadline_exceeded

No message repeats a prompt, and none says what a failed part said.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from counterpoint.interfaces import DegeneratePicture, ForbiddenPrompt, InvalidInput, SafetyFailure
from counterpoint.server.schemas import KIND

Stage = Literal["input", "output"]
TEXT_FIELDS = ("prompt", "negative_prompt", "safety.safe_prompt", "input", "texts")
INSIDE_SAFETY = {"safe_prompt": "safety.safe_prompt"}
"""What a wrapper's argument is called in a request."""


class ApiError(Exception):
    """An answer without a picture."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        param: str | None = None,
        kind: str = "invalid_request_error",
        retry_after: int | None = None,
        details: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(code)
        self.status, self.code, self.kind = status, code, kind
        self.message, self.param = _utf8(message), None if param is None else _utf8(param)
        self.retry_after, self.details = retry_after, details

    def response(self) -> JSONResponse:
        """Return the answer."""
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        return JSONResponse(self.body(), self.status, headers)

    def body(self) -> dict[str, Any]:
        """Return the answer's body."""
        error: dict[str, Any] = {
            "message": self.message, "type": self.kind, "param": self.param, "code": self.code,
        }  # fmt: skip
        if self.details is not None:
            error["moderation_details"] = self.details
        return {"error": error}

    def log_fields(self) -> dict[str, Any]:
        """Return what the log says of it: names only, never the message."""
        fields: dict[str, Any] = {"code": self.code}
        if self.details is not None:
            fields |= {"stage": self.details["moderation_stage"], "categories": self.details["categories"]}
        return fields

    async def send(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with it where no route is reached; the request's log record says so."""
        scope.setdefault("state", {}).setdefault("log", {}).update(self.log_fields())
        await self.response()(scope, receive, send)


def _utf8(text: str) -> str:
    """Return the text without halves of surrogate pairs: names of unknown fields may hold any."""
    return text.encode("utf-8", "replace").decode()


def blocked(stage: Stage, categories: Sequence[str], message: str) -> ApiError:
    """Return the refusal that OpenAI's clients know."""
    return ApiError(
        400, "moderation_blocked", message, kind="image_generation_user_error",
        details={"moderation_stage": stage, "categories": list(categories)},
    )  # fmt: skip


def unavailable(code: str, message: str, *, retry_after: int = 1) -> ApiError:
    """Return a 503: the server's state, not the caller's fault."""
    return ApiError(503, code, message, kind="server_error", retry_after=retry_after)


_WRONG_BODY = ApiError(
    400, "invalid_body", "body: allowed: one JSON object in UTF-8, Content-Type application/json", param="body"
)


def from_exception(error: Exception) -> ApiError:
    """Return what a caller is told of an exception; never its own words, except for those about input."""
    match error:
        case ApiError():
            return error
        case InvalidInput():
            return _from_input(error)
        case ForbiddenPrompt():
            return blocked("input", ["sexual/minors"], "The prompt asks for what is drawn at no setting.")
        case DegeneratePicture():
            return unavailable("degenerate_picture", "The model drew no picture; nothing is returned.")
        case SafetyFailure():
            return unavailable("safety_failure", "A safety step failed; nothing is returned.")
        case MemoryError():
            return unavailable("out_of_memory", "The server ran out of memory; nothing is returned.", retry_after=5)
        case RequestValidationError():
            return _from_schema(error)
        case HTTPException():
            if error.status_code == 400:
                return _WRONG_BODY
            code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "invalid_request")
            return ApiError(error.status_code, code, str(error.detail))
        case _ if type(error).__name__ == "OutOfMemoryError":  # torch's
            return unavailable("out_of_memory", "The device ran out of memory; nothing is returned.", retry_after=5)
        case _:
            return unavailable("generation_failed", "Drawing failed; nothing is returned.")


def _from_input(error: InvalidInput) -> ApiError:
    field = INSIDE_SAFETY.get(error.field, error.field)
    given = "" if field in TEXT_FIELDS else f" got {str(error.value)[:100]!r};"
    return ApiError(400, "invalid_value", f"{field}:{given} allowed: {error.allowed}", param=field)


def _from_schema(error: RequestValidationError) -> ApiError:
    """Name the first wrong field and its limit; what was given is not repeated."""
    first = error.errors()[0]
    place = [str(part) for part in first["loc"] if part not in ("body", "header", "query")]
    place = [part for part in place if not part.startswith(KIND)]
    kind = first["type"]
    if kind == "json_invalid" or not place:
        return _WRONG_BODY
    field = ".".join(place)[:200]
    if kind == "extra_forbidden":
        return ApiError(400, "unknown_parameter", f"{field}: no such parameter; leave it out", param=field)
    code = "missing_parameter" if kind == "missing" else "invalid_value"
    told = "allowed: one object" if kind == "model_type" else first["msg"].removeprefix("Value error, ")
    return ApiError(400, code, f"{field}: {told}", param=field)
