"""What comes in at the doors: bytes within limits, JSON that fits or a sentence that says why not."""

import asyncio
import json
from datetime import timedelta
from typing import Annotated, Any, TypeVar

from fastapi import Request
from pydantic import Field, TypeAdapter, ValidationError
from starlette.requests import ClientDisconnect

from bot.domain.errors import BadRequest, BadText, ShotdeskError
from bot.domain.vocabulary import CustomerId, PictureId, SessionId

T = TypeVar("T")

BODY_WITHIN = timedelta(seconds=60)
"""A body that takes longer is not waited for: many slow ones would hold the server up."""

LET_GO = 64 * 1024 * 1024
"""Bytes beyond the limit after which a client is cut off."""

QUOTED = 200
"""Characters of a stranger's words that an error repeats."""

ONE_LINE = Field(min_length=1, max_length=120, pattern=r"^[^\x00-\x1f\x7f]+$")
Name = Annotated[str, ONE_LINE]
"""Somebody else's id of something: whatever can be written on one line."""

CustomerName = Annotated[CustomerId, ONE_LINE]
SessionName = Annotated[SessionId, Field(min_length=1, max_length=120, pattern=r"^[\w.:@-]+$")]
PictureName = Annotated[PictureId, Field(min_length=1, max_length=80)]


class TooSlow(ShotdeskError):
    """The body took too long to arrive; please send it again."""

    code = "too_slow"


async def read_body(request: Request, limit: int, too_large: ShotdeskError) -> bytes:
    """The body, if it has at most ``limit`` bytes, else ``too_large``. Raises TooSlow, BadRequest.

    What is too much is still taken in, and let go: a client hears an answer once it has sent everything.
    """
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_WITHIN.total_seconds()):
            async for part in request.stream():
                size += len(part)
                if size > limit:
                    parts.clear()
                if size > limit + LET_GO:
                    break
                parts.append(part)
    except TimeoutError:
        raise TooSlow from None
    except ClientDisconnect:
        raise BadRequest("the body was cut off") from None
    if size > limit:
        raise too_large
    return b"".join(parts)


def read_json(kind: TypeAdapter[T], body: bytes | str) -> T:
    """Raises BadText where words are not valid Unicode, else BadRequest by the name of what does not fit."""
    try:
        return kind.validate_json(body)
    except ValidationError as error:
        raise _not_unicode(body) or _misfit(error) from None


def client_id_in(body: bytes | str) -> str | None:
    """The sender's id of a message that does not fit, where one can be made out."""
    read = _loosely(body)
    id = read.get("client_id") if isinstance(read, dict) else None
    return id if isinstance(id, str) and len(id) <= QUOTED and _encodes(id) else None


def _misfit(error: ValidationError) -> BadRequest:
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(map(str, first["loc"]))[:QUOTED]
    message = first["msg"][:QUOTED]
    return BadRequest(f"{place}: {message}" if place else message)


def _not_unicode(body: bytes | str) -> BadText | None:
    """Lone surrogates come escaped: strict JSON calls them a syntax error."""
    try:
        text = body.decode() if isinstance(body, bytes) else body
    except UnicodeDecodeError:
        return BadText()
    return None if _encodes(json.dumps(_loosely(text), ensure_ascii=False)) else BadText()


def _loosely(body: bytes | str) -> Any:
    """JSON as far as Python's own reader, which is less strict, can read it; None beyond that."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
