"""One line of a session's log, as customers see it on ``/ws`` and in ``/v1/sessions/{id}/messages``."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from bot.domain.message import Entry, Sender
from bot.domain.vocabulary import PictureId


class Line(BaseModel):
    """``seq`` counts within the session; ``client_id`` is the sender's own id of a customer's message."""

    seq: int
    sender: Literal["customer", "bot", "agent", "system"] = Field(serialization_alias="from")
    text: str
    attachments: tuple[PictureId, ...]
    quick_replies: tuple[str, ...]
    at: datetime
    client_id: str | None

    @classmethod
    def of(cls, entry: Entry) -> "Line":
        return cls(
            seq=entry.seq,
            sender=entry.sender.value,
            text=entry.text,
            attachments=tuple(attachment.id for attachment in entry.attachments),
            quick_replies=entry.quick_replies,
            at=entry.at,
            client_id=entry.key if entry.sender is Sender.CUSTOMER else None,
        )
