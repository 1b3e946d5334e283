"""Errors at the doors: the project's own tree, as HTTP and as frames."""

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException

from bot.domain.errors import (
    BadRequest,
    BadText,
    BrokenPicture,
    NotFound,
    PictureTooLarge,
    SessionOfAnotherCustomer,
    ShotdeskError,
    TextTooLong,
    Unavailable,
    UnsupportedPicture,
)

STATUS: dict[type[ShotdeskError], int] = {
    BadRequest: 400,
    BadText: 400,
    SessionOfAnotherCustomer: 403,
    NotFound: 404,
    TextTooLong: 413,
    PictureTooLarge: 413,
    UnsupportedPicture: 415,
    BrokenPicture: 422,
    Unavailable: 503,
}

BODY_LIMIT = 256 * 1024
"""Bytes of a JSON body; a text is 4,000 characters at most."""


class Unauthorized(ShotdeskError):
    """This needs an API key: send one that SHOTDESK_API_KEYS lists, as 'Authorization: Bearer KEY'."""

    code = "unauthorized"


class TooManyRequests(ShotdeskError):
    """That is too much at once; please slow down and try again in a moment."""

    code = "too_many_requests"


STATUS |= {Unauthorized: 401, TooManyRequests: 429}


class ErrorBody(BaseModel):
    """What every error answer holds."""

    code: str
    message: str


class ErrorAnswer(BaseModel):
    error: ErrorBody


def answer_errors(api: FastAPI) -> None:
    """Every error answers ``{"error": {"code", "message"}}``, FastAPI's own ones, too."""

    @api.exception_handler(ShotdeskError)
    async def own(request: Request, error: ShotdeskError) -> JSONResponse:
        status = next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)
        headers = {"Retry-After": "2"} if status in (429, 503) else None
        return _answer(status, error.code, error.message, headers)

    @api.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        return _answer(400, "bad_request", "; ".join(f"{p['loc'][-1]}: {p['msg']}" for p in error.errors()))

    @api.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> JSONResponse:
        return _answer(
            error.status_code, "not_found" if error.status_code == 404 else "bad_request", error.detail
        )


def _answer(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
    body = ErrorAnswer(error=ErrorBody(code=code, message=message))
    return JSONResponse(body.model_dump(), status_code=status, headers=headers)


async def read_body(request: Request, limit: int, too_large: ShotdeskError) -> bytes:
    """The body, given up as soon as it is longer than ``limit`` bytes."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise too_large
        parts.append(part)
    return b"".join(parts)


def why(error: ValidationError) -> BadRequest:
    """A body that does not fit, by the names of what does not."""
    first = error.errors()[0]
    place = ".".join(map(str, first["loc"]))
    return BadRequest(f"{place}: {first['msg']}" if place else first["msg"])
