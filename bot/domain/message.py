"""What goes to and fro between a customer and the bot."""

from datetime import UTC, datetime
from enum import StrEnum

from bot.domain.base import Model
from bot.domain.vocabulary import CustomerId, PictureId, SessionId

MAX_TEXT = 4000
"""Characters of one message."""

MAX_PICTURES = 9
"""Pictures of one message, as many as the IM platforms let one send at once."""


class Address(Model):
    """Where somebody is reached: one user of one account (a bot, a shop page) on one channel."""

    channel: str
    account: str
    user: str


class Attachment(Model):
    """A picture that was uploaded before."""

    id: PictureId


class Message(Model):
    """What a customer sends. ``key`` is the sender's own id of it: the same key twice is one message."""

    address: Address
    key: str
    text: str = ""
    attachments: tuple[Attachment, ...] = ()
    at: datetime


class Sender(StrEnum):
    CUSTOMER = "customer"
    BOT = "bot"
    AGENT = "agent"
    SYSTEM = "system"


class Reply(Model):
    """What is said to a customer."""

    text: str
    quick_replies: tuple[str, ...] = ()


class Entry(Model):
    """One line of a session's log; ``seq`` counts without a gap within the session."""

    session: SessionId
    seq: int
    sender: Sender
    text: str
    attachments: tuple[Attachment, ...] = ()
    quick_replies: tuple[str, ...] = ()
    turn: int | None = None
    key: str | None = None
    at: datetime

    @classmethod
    def of(cls, message: Message, session: SessionId, seq: int) -> "Entry":
        """The line as which a new message was kept."""
        return cls(
            session=session,
            seq=seq,
            sender=Sender.CUSTOMER,
            text=message.text,
            attachments=message.attachments,
            key=message.key,
            at=message.at.astimezone(UTC),
        )


class Accepted(Model):
    """A message is kept. ``duplicate``: it was kept before."""

    session: SessionId
    seq: int
    customer: CustomerId | None = None
    duplicate: bool = False
