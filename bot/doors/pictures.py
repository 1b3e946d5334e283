"""``POST /v1/pictures``: a picture for a message to come."""

from collections.abc import MutableMapping
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from bot.app import App
from bot.domain.errors import BadRequest, PictureTooLarge
from bot.domain.vocabulary import PictureId, SessionId
from bot.doors.errors import TooManyRequests, read_body

PICTURE_LIMIT = 10 * 1024 * 1024
"""Bytes of one picture."""

FORM_AROUND_IT = 16 * 1024

UPLOADS = 60
UPLOADS_PER = timedelta(minutes=1)


class Uploaded(BaseModel):
    """``id`` goes into a message's ``attachments``."""

    id: PictureId


def routes(app: App) -> APIRouter:
    router = APIRouter()

    @router.post(
        "/v1/pictures",
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
    async def upload(
        request: Request, session: Annotated[SessionId | None, Query(max_length=120)] = None
    ) -> Uploaded:
        """The picture as the body, or as the one file of a form. PNG, JPEG or WebP, at most 10 MiB.

        With ``session``, a message that is sent meanwhile waits for the picture.
        """
        uploader = request.client.host if request.client else "unknown"
        if not await app.cache.allow(f"upload:{uploader}", UPLOADS, UPLOADS_PER):
            raise TooManyRequests
        id = PictureId(app.ids())
        if session:
            await app.cache.expect_picture(session, id)
        try:
            picture = await app.pictures.check(await _picture_in(request))
            await app.media.keep(picture.renamed(id), session or uploader)
        finally:
            if session:
                await app.cache.expect_picture(session, id, arrived=True)
        return Uploaded(id=id)

    return router


async def _picture_in(request: Request) -> bytes:
    body = await read_body(request, PICTURE_LIMIT + FORM_AROUND_IT, PictureTooLarge())
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        return body
    return await _file_in(request, body)


async def _file_in(request: Request, body: bytes) -> bytes:
    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    try:
        form = await Request(request.scope, receive).form(max_files=1, max_fields=8)
    except HTTPException as error:
        raise BadRequest(f"the form cannot be read: {error.detail}") from None
    file = next((value for value in form.values() if isinstance(value, UploadFile)), None)
    if file is None:
        raise BadRequest("the form holds no file")
    return await file.read()
