"""Errors at the doors: the project's own tree, as HTTP answers."""

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
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
from bot.doors.bodies import TooSlow


class Unauthorized(ShotdeskError):
    """This needs an API key: send one that SHOTDESK_API_KEYS lists, as 'Authorization: Bearer KEY'."""

    code = "unauthorized"


class TooManyRequests(ShotdeskError):
    """That is too much at once; please slow down and try again in a moment."""

    code = "too_many_requests"


STATUS: dict[type[ShotdeskError], int] = {
    BadRequest: 400,
    BadText: 400,
    Unauthorized: 401,
    SessionOfAnotherCustomer: 403,
    NotFound: 404,
    TooSlow: 408,
    TextTooLong: 413,
    PictureTooLarge: 413,
    UnsupportedPicture: 415,
    BrokenPicture: 422,
    TooManyRequests: 429,
    Unavailable: 503,
}

HEADERS = {
    401: {"WWW-Authenticate": "Bearer"},
    408: {"Connection": "close"},  # the rest of the body may follow
    413: {"Connection": "close"},
    429: {"Retry-After": "2"},
    503: {"Retry-After": "2"},
}


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
        return _answer(status, error.code, error.message)

    @api.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        return _answer(400, "bad_request", "; ".join(f"{p['loc'][-1]}: {p['msg']}" for p in error.errors()))

    @api.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> JSONResponse:
        code = "not_found" if error.status_code == 404 else "bad_request"
        return _answer(error.status_code, code, error.detail, error.headers)

    @api.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> JSONResponse:
        return _answer(500, "internal", "Something went wrong here; it has been written down.")


def _answer(status: int, code: str, message: str, headers: object = None) -> JSONResponse:
    body = ErrorAnswer(error=ErrorBody(code=code, message=message))
    more = dict(headers) if isinstance(headers, dict) else HEADERS.get(status)
    return JSONResponse(body.model_dump(), status_code=status, headers=more)
