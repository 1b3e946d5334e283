"""What a widget may say on ``/ws``, frame by frame."""

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from bot.domain.base import Model
from bot.domain.message import MAX_PICTURES
from bot.doors.bodies import CustomerName, Name, PictureName, SessionName


class Hello(Model):
    """Opens, or goes on from ``last_seq``. A customer is believed by the page's signature only."""

    type: Literal["hello"]
    session: SessionName | None = None
    last_seq: Annotated[int, Field(ge=0)] = 0
    customer: CustomerName | None = None
    signature: Annotated[str, Field(max_length=128)] | None = None


class Said(Model):
    type: Literal["message"]
    client_id: Name
    text: str = ""
    attachments: Annotated[tuple[PictureName, ...], Field(max_length=MAX_PICTURES)] = ()


class History(Model):
    """Asks for the lines before a line: a page of them, the latest."""

    type: Literal["history"]
    before: Annotated[int, Field(ge=1)]


class Ack(Model):
    type: Literal["ack"]
    seq: Annotated[int, Field(ge=0)]


class Typing(Model):
    type: Literal["typing"]


Frame = Hello | Said | History | Ack | Typing
FRAME: TypeAdapter[Frame] = TypeAdapter(Annotated[Frame, Field(discriminator="type")])
