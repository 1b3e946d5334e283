"""``POST /v1/pictures``: a picture for a message to come."""

import asyncio
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from bot.app import App
from bot.domain.errors import BadRequest, PictureTooLarge
from bot.domain.vocabulary import PictureId, SessionId
from bot.doors.bodies import SessionName, read_body
from bot.doors.deadline import in_time
from bot.doors.errors import TooManyRequests

UPLOAD_PATH = "/v1/pictures"

PICTURE_LIMIT = 10 * 1024 * 1024
"""Bytes of one picture."""

FORM_AROUND_IT = 16 * 1024

UPLOADS = 60
UPLOADS_PER = timedelta(minutes=1)

UPLOAD_TAKES = timedelta(seconds=30)
"""An upload that takes longer is not waited for."""

SIGN_OF_LIFE = timedelta(seconds=1)
"""An upload says so often that it goes on: nobody waits for one whose process has died."""

FOLLOWS_WITHIN = timedelta(seconds=2)
"""A picture that has arrived is named in a message by then, or is not what the customer speaks of."""


class Uploaded(BaseModel):
    """``id`` goes into a message's ``attachments``."""

    id: PictureId


def routes(app: App) -> APIRouter:
    router = APIRouter()

    @router.post(
        UPLOAD_PATH,
        status_code=201,
        summary="Upload a picture",
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {
                    "image/*": {"schema": {"type": "string", "format": "binary"}},
                    "multipart/form-data": {
                        "schema": {
                            "type": "object",
                            "required": ["file"],
                            "properties": {"file": {"type": "string", "format": "binary"}},
                        }
                    },
                },
            }
        },
    )
    async def upload(request: Request, session: Annotated[SessionName | None, Query()] = None) -> Uploaded:
        """The picture as the body, or as the one file of a form. PNG, JPEG or WebP, at most 10 MiB.

        With ``session``, a message that is sent meanwhile waits for the picture.
        """
        uploader = request.client.host if request.client else "unknown"
        if not await app.cache.allow(f"upload:{uploader}", UPLOADS, UPLOADS_PER):
            raise TooManyRequests
        id = PictureId(app.ids())
        if session is None:
            await _keep(app, request, id, uploader)
            return Uploaded(id=id)
        async with _expected(app, session, id):
            await _keep(app, request, id, session)
        return Uploaded(id=id)

    return router


@asynccontextmanager
async def _expected(app: App, session: SessionId, id: PictureId) -> AsyncIterator[None]:
    """While it comes, messages of the session wait for the picture; and a moment longer, if it has come."""
    follows = None
    renewing = asyncio.create_task(_renew(app, session, id))
    try:
        yield
        follows = FOLLOWS_WITHIN
    finally:
        renewing.cancel()
        await asyncio.gather(renewing, return_exceptions=True)
        await app.cache.expect_picture(session, id, follows)


async def _renew(app: App, session: SessionId, id: PictureId) -> None:
    for _ in range(UPLOAD_TAKES // SIGN_OF_LIFE):
        await app.cache.expect_picture(session, id, 3 * SIGN_OF_LIFE)
        await asyncio.sleep(SIGN_OF_LIFE.total_seconds())


async def _keep(app: App, request: Request, id: PictureId, uploader: str) -> None:
    picture = await app.pictures.check(await _picture_in(request))
    await in_time(app.media.keep(picture.renamed(id), uploader))


async def _picture_in(request: Request) -> bytes:
    body = await read_body(request, PICTURE_LIMIT + FORM_AROUND_IT, PictureTooLarge())
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        return body
    return await _file_in(request, body)


async def _file_in(request: Request, body: bytes) -> bytes:
    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    try:
        async with Request(request.scope, receive).form(max_files=1, max_fields=8) as form:
            files = [value for value in form.values() if isinstance(value, UploadFile)]
            if not files:
                raise BadRequest("the form holds no file")
            return await files[0].read()
    except HTTPException as error:
        raise BadRequest(f"the form cannot be read: {error.detail}") from None
