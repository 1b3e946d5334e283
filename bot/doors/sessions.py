"""``/v1/sessions/{id}/messages``: a message as on ``/ws``, for servers, with an API key."""

import hmac
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import Field, TypeAdapter

from bot.app import App
from bot.domain.base import Model
from bot.domain.errors import BadText, NotFound, TextTooLong
from bot.domain.message import MAX_PICTURES, Accepted, Address, Attachment, Message
from bot.domain.vocabulary import CustomerId, SessionId
from bot.doors.bodies import CustomerName, Name, PictureName, SessionName, read_body, read_json
from bot.doors.deadline import in_time
from bot.doors.errors import Unauthorized
from bot.doors.line import Line
from bot.telemetry import MESSAGES

BODY_LIMIT = 256 * 1024
"""Bytes of a JSON body; a text is 4,000 characters at most."""

LAST_SEQ = 2**31 - 1


class NewMessage(Model):
    """``client_id`` is the sender's own id of the message: the same twice is one message.

    ``customer`` is an id of the order system, and the caller vouches for it.
    """

    client_id: Name
    text: str = ""
    attachments: Annotated[tuple[PictureName, ...], Field(max_length=MAX_PICTURES)] = ()
    customer: CustomerName | None = None


NEW_MESSAGE = TypeAdapter(NewMessage)
BEARER = HTTPBearer(auto_error=False, description="One of SHOTDESK_API_KEYS")


def routes(app: App) -> APIRouter:
    async def with_key(given: Annotated[HTTPAuthorizationCredentials | None, Security(BEARER)]) -> None:
        key = given.credentials.strip().encode() if given else b""
        known = [known.get_secret_value().encode() for known in app.settings.api_keys]
        if not any([hmac.compare_digest(each, key) for each in known]):  # noqa: C419  # all are compared
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
    async def send(id: Annotated[SessionName, Path()], request: Request) -> Accepted:
        """Answers once the message is kept; the reply comes into the session's log."""
        new = read_json(NEW_MESSAGE, await read_body(request, BODY_LIMIT, TextTooLong()))
        return await in_time(keep(app, message_of(app, id, new), new.customer))

    @router.get("/v1/sessions/{id}/messages", summary="Read a session's log")
    async def log(
        id: Annotated[SessionName, Path()],
        after: Annotated[int, Query(ge=0, le=LAST_SEQ)] = 0,
        limit: Annotated[int, Query(ge=1, le=200)] = 100,
    ) -> Sequence[Line]:
        """Both sides of the conversation, by ``seq``, from the one after ``after``."""
        view = await in_time(app.store.view(id, after=after, limit=limit))
        if not view.exists:
            raise NotFound("there is no such session")
        return [Line.of(entry) for entry in view.lines]

    return router


def message_of(app: App, id: SessionId, new: NewMessage) -> Message:
    """A message of the web channel, now."""
    return Message(
        address=Address(channel="web", account="default", user=id),
        key=new.client_id,
        text=new.text,
        attachments=tuple(Attachment(id=picture) for picture in new.attachments),
        at=app.clock(),
    )


async def keep(app: App, message: Message, customer: CustomerId | None, *, visitor: bool = False) -> Accepted:
    """Keeps a message of the web channel. Raises what ``Inbox.receive`` raises, and NotFound."""
    if not message.text.strip() and not message.attachments:
        raise BadText("there is nothing to answer: send a text, a picture, or both")
    id = SessionId(message.address.user)
    missing = [a.id for a in message.attachments if not await app.media.has(a.id)]
    # sent again after its turn, a message has no originals any more, but is known all the same
    if missing and await app.store.seq_of(id, message.key) is None:
        raise NotFound(f"there is no picture {missing[0]}; upload it to /v1/pictures first")
    accepted = await app.inbox.receive(message, customer, id, visitor=visitor)
    MESSAGES.labels("yes" if accepted.duplicate else "no").inc()
    return accepted
