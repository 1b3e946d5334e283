"""``/v1/sessions/{id}/messages``: a message as on ``/ws``, for servers, with an API key."""

import hmac
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import Field, ValidationError

from bot.app import App
from bot.domain.base import Model
from bot.domain.errors import NotFound, SessionOfAnotherCustomer, TextTooLong
from bot.domain.message import MAX_PICTURES, Accepted, Address, Attachment, Entry, Message
from bot.domain.vocabulary import CustomerId, PictureId, SessionId
from bot.doors.errors import BODY_LIMIT, Unauthorized, read_body, why
from bot.telemetry import MESSAGES

Key = Annotated[str, Field(min_length=1, max_length=120)]
SessionPath = Annotated[SessionId, Path(min_length=1, max_length=120, pattern=r"^[\w.:@-]+$")]


class NewMessage(Model):
    """``client_id`` is the sender's own id of the message: the same twice is one message.

    ``customer`` is an id of the order system, and the caller vouches for it.
    """

    client_id: Key
    text: str = ""
    attachments: Annotated[tuple[PictureId, ...], Field(max_length=MAX_PICTURES)] = ()
    customer: CustomerId | None = None


def routes(app: App) -> APIRouter:
    async def with_key(request: Request) -> None:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        known = [k.get_secret_value().encode() for k in app.settings.api_keys]
        given = key.strip().encode()
        if scheme.lower() != "bearer" or not any(hmac.compare_digest(k, given) for k in known):
            raise Unauthorized

    router = APIRouter(dependencies=[Depends(with_key)])

    @router.post(
        "/v1/sessions/{id}/messages",
        status_code=202,
        summary="Send a customer's message",
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": NewMessage.model_json_schema()}},
            }
        },
    )
    async def send(id: SessionPath, request: Request) -> Accepted:
        """Answers once the message is kept; the reply comes into the session's log."""
        body = await read_body(request, BODY_LIMIT, TextTooLong())
        try:
            new = NewMessage.model_validate_json(body)
        except ValidationError as error:
            raise why(error) from None
        return await accept(app, id, new)

    @router.get("/v1/sessions/{id}/messages", summary="Read a session's log")
    async def log(
        id: SessionPath,
        after: Annotated[int, Query(ge=0)] = 0,
        limit: Annotated[int, Query(ge=1, le=200)] = 100,
    ) -> Sequence[Entry]:
        """Both sides of the conversation, by ``seq``, from the one after ``after``."""
        exists, _ = await app.store.customer_of(id)
        if not exists:
            raise NotFound("there is no such session")
        return await app.store.log(id, after, limit)

    return router


async def accept(app: App, id: SessionId, new: NewMessage) -> Accepted:
    """Keeps a message of the web channel. Raises what ``Inbox.accept`` raises, and SessionOfAnotherCustomer."""
    exists, owner = await app.store.customer_of(id)
    if exists and new.customer and owner and owner != new.customer:
        raise SessionOfAnotherCustomer
    message = Message(
        address=Address(channel="web", account="default", user=id),
        key=new.client_id,
        text=new.text,
        attachments=tuple(Attachment(id=picture) for picture in new.attachments),
        at=app.clock(),
    )
    for attachment in message.attachments:
        if not await app.media.has(attachment.id):
            raise NotFound(f"there is no picture {attachment.id}; upload it to /v1/pictures first")
    accepted = await app.inbox.receive(message, new.customer, id)
    MESSAGES.labels("yes" if accepted.duplicate else "no").inc()
    return accepted
