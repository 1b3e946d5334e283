"""Every extension point, on one page. An adapter stands behind each."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Protocol

from bot.domain.errors import Unavailable
from bot.domain.intent import IntentMatch
from bot.domain.message import Accepted, Address, Entry, Message, Reply
from bot.domain.reading import Box, Picture, Seen
from bot.domain.records import Records
from bot.domain.session import Action, Dialogue, Draft, Effect, Exchange, Handoff, Holding, Owner, Turn
from bot.domain.vocabulary import ActionId, CustomerId, PictureId, SessionId

Clock = Callable[[], datetime]
"""The time now, aware, in the shop's zone."""

Ids = Callable[[], str]
"""A new id that nobody can guess."""


# --- Truth ------------------------------------------------------------------------------------------


class Superseded(Exception):
    """More messages came before the commit: the turn starts again with everything in it."""


class Fenced(Exception):
    """Somebody else has the session now: what was worked out is dropped."""


class Undecided(Unavailable):
    """The store did not say whether a turn is kept. If it is not, the session is still unanswered."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """The right to commit: void as soon as somebody else has claimed the same (``epoch``)."""

    session: SessionId
    epoch: int
    upto: int
    """The last customer message that this turn answers."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A session with its unanswered messages. ``version`` changes with whatever changes the dialogue."""

    ticket: Ticket
    address: Address
    customer: CustomerId | None
    owner: Owner
    handoff: Handoff | None
    turns: int
    version: int
    messages: tuple[Entry, ...]
    held_seq: int = 0
    """The last customer message of which it was said that the order system is down."""
    held_for: timedelta | None = None
    """How long ago it was first put off; None where it was not."""


@dataclass(frozen=True, slots=True)
class ClaimedEffect:
    """An effect to perform now. ``effect.tries`` are the claims before this one, those that crashed too.

    ``follows``: the order system has not answered yet about an earlier one of the session, so that this one
    is only to be told of.
    """

    effect: Effect
    epoch: int
    follows: bool = False


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A reply on its way out. ``key`` stays the same over every try, for channels that drop doubles.

    ``tries`` are the claims before this one, those that crashed too.
    """

    entry: Entry
    address: Address
    epoch: int
    key: str
    tries: int


@dataclass(frozen=True, slots=True)
class View:
    """A session as one look found it, with a page of its log in order."""

    exists: bool
    customer: CustomerId | None
    last_seq: int
    """The last line, also where that is void and not shown."""
    lines: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Committed:
    """A turn that is kept: the session's ``version`` after it, and the reply, if it may be sent at once."""

    version: int
    outgoing: Outgoing | None = None
    more: bool = False
    """Whether messages are left unanswered."""


class Store(Protocol):
    """The truth, in SQL: one verb, one transaction. Every verb may be tried again after a lost connection."""

    async def open(
        self, address: Address, customer: CustomerId | None, session: SessionId | None = None
    ) -> SessionId:
        """The session of this name, or else of this address; a new one where there is none.

        A session without a customer takes the one given; one that is given none keeps its own.
        Raises SessionOfAnotherCustomer, and NotFound where a named session sits on another address.
        """
        ...

    async def accept(
        self,
        session: SessionId | None,
        message: Message,
        customer: CustomerId | None = None,
        *,
        visitor: bool = False,
    ) -> Accepted:
        """Opens the session and keeps a message in it, once and durably.

        The same ``message.key`` again answers the first ``seq``. Raises what ``open`` raises, and
        SessionOfAnotherCustomer where a ``visitor`` speaks in a customer's session.
        """
        ...

    async def seq_of(self, session: SessionId, key: str) -> int | None:
        """The line of the customer's message that was kept under this key, if there is one."""
        ...

    async def claim(self, session: SessionId, holder: str, lease: timedelta) -> Claimed | None:
        """Takes the session if it has unanswered messages and nobody holds it."""
        ...

    async def reclaim(self, ticket: Ticket, lease: timedelta) -> Claimed | None:
        """The same claim with what has come since; None if it is lost."""
        ...

    async def renew(self, ticket: Ticket, lease: timedelta) -> bool: ...

    async def commit(
        self, ticket: Ticket, draft: Draft, *, final: bool = False, sending: timedelta | None = None
    ) -> Committed:
        """Turn, exchange, reply, effect, owner, audit and the end of the originals; ends the claim.

        With ``sending`` the reply is claimed for that time, as by ``claim_reply``, if nothing is before it.
        Raises Fenced, and Superseded where newer messages came (unless ``final``).
        """
        ...

    async def release(self, ticket: Ticket) -> None: ...

    async def hold(
        self, ticket: Ticket, holding: Holding | None, *, again_in: timedelta | None = None
    ) -> bool:
        """Says that the answer takes a while: a line beside the turn, while the messages stay unanswered.

        Once for each reason and last message, and only while the bot answers; True if it is said now. With
        ``again_in`` the claim ends, and the session is due after that time, or when a message comes, or when
        ``resume`` is called. Raises Fenced.
        """
        ...

    async def resume(self) -> None:
        """Makes due whatever was put off, the sessions that have waited longest first, and every effect."""
        ...

    async def unanswered(self, limit: int) -> Sequence[SessionId]:
        """Sessions with messages that nobody works on: for the sweeper."""
        ...

    async def claim_effect(self, id: ActionId, lease: timedelta) -> ClaimedEffect | None:
        """Takes the effect if it is due and nobody holds it; one that ``follows`` only until that was said."""
        ...

    async def settle_effect(
        self,
        claimed: ClaimedEffect,
        action: Action,
        reply: Reply | None,
        *,
        again_in: timedelta | None = None,
        accepted: bool = False,
        handoff: Handoff | None = None,
    ) -> None:
        """The result: into the effect, its turn and exchange; the reply, unless a person has the session.

        With ``again_in`` the effect stays pending and is due again after that time; that it is pending is said
        once. ``accepted``: the order system has it, so that the session's next effect need not wait for its
        end. With ``handoff`` the bot gives the session to a person, who takes it up. Raises Fenced.
        """
        ...

    async def due_effects(self, limit: int) -> Sequence[ActionId]: ...

    async def claim_reply(self, session: SessionId, lease: timedelta) -> Outgoing | None:
        """The next reply to send, in order, one at a time a session; voids the bot's under a person."""
        ...

    async def settle_reply(
        self, outgoing: Outgoing, *, again_in: timedelta | None = None, give_up: bool = False
    ) -> bool:
        """Sent; or to be tried again; or given up. Whether more is queued in the session. Raises Fenced."""
        ...

    async def undelivered(self, limit: int) -> Sequence[SessionId]: ...

    async def take_over(self, session: SessionId, agent: str) -> None:
        """A person answers now; the bot's turn under way is fenced, its unsent replies are void."""
        ...

    async def say(self, session: SessionId, agent: str, reply: Reply, key: str) -> int:
        """A person's line, to be delivered like a reply; the same ``key`` again answers the first ``seq``.

        Raises BadRequest unless a person has the session.
        """
        ...

    async def hand_back(self, session: SessionId, agent: str) -> None: ...

    async def close(self, session: SessionId, agent: str) -> None:
        """The next message opens it again, to the bot."""
        ...

    async def view(
        self, session: SessionId, *, after: int = 0, before: int | None = None, limit: int = 100
    ) -> View:
        """What was said after a line, or last before one, without what became void before it was sent."""
        ...

    async def log(self, session: SessionId, after: int, limit: int = 200) -> Sequence[Entry]:
        """What was said after a line, without what became void before it was sent."""
        ...

    async def exchanges(self, session: SessionId, since: datetime, limit: int) -> Sequence[Exchange]:
        """The latest exchanges, of turns since a time, in order: what the dialogue is rebuilt from."""
        ...

    async def customer_of(self, session: SessionId) -> tuple[bool, CustomerId | None]:
        """Whether the session exists, and whose it is."""
        ...

    async def last_seq(self, session: SessionId) -> int:
        """The last line of the session's log; 0 for an empty or unknown one."""
        ...

    async def turn_of(self, session: SessionId, seq: int) -> Turn | None:
        """The turn that answered the message ``seq``."""
        ...

    async def ping(self) -> None: ...

    async def complaints(self) -> Sequence[str]:
        """Settings of the server that could lose messages, each in one sentence with the way out."""
        ...


# --- The living dialogue ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Live:
    """What happens in a session, for whoever watches it: a new log line, or a status.

    ``seq`` is the new line, or the line that the status is about: one that comes late is told from the news.
    """

    kind: Literal["entry", "reading", "thinking", "waiting", "human", "idle"]
    seq: int | None = None


class SessionCache(Protocol):
    """The living dialogue, wake-ups, fan-out and limits, in Redis. Losing it all loses nothing."""

    async def recall(self, session: SessionId, version: int) -> Dialogue | None:
        """The dialogue of exactly this version, if it is remembered; None also when Redis is away."""
        ...

    async def remember(self, session: SessionId, version: int, dialogue: Dialogue) -> None: ...

    async def wake(self, session: SessionId) -> None:
        """A hint to the workers; it may be lost or doubled."""
        ...

    def wakeups(self) -> AsyncIterator[SessionId]: ...

    async def announce(self, session: SessionId, live: Live) -> None: ...

    def watch(self, session: SessionId) -> AsyncIterator[Live]:
        """What is announced from now on. Misses what falls into an outage: the log has it.

        An ``entry`` without ``seq`` says "look into the log": first, once the watch has begun, and whenever
        something may have been missed. Who gave up waiting for the next one may ask for it again.
        """
        ...

    async def expect_picture(self, session: SessionId, id: PictureId, within: timedelta | None) -> None:
        """A message with this picture is to be expected within a time; with None, no longer."""
        ...

    async def expects_picture(self, session: SessionId) -> bool: ...

    async def allow(self, what: str, limit: int, per: timedelta) -> bool:
        """Counts one use; False beyond the limit. Allows when Redis is away."""
        ...

    async def ping(self) -> None: ...

    async def complaints(self) -> Sequence[str]: ...


class MediaStore(Protocol):
    """Pictures: the original, under a key of its own, until its turn ends; the masked copy after it."""

    async def keep(self, picture: Picture, uploader: str) -> None: ...

    async def has(self, id: PictureId) -> bool:
        """Whether the picture was kept, as original or as masked copy."""
        ...

    async def load(self, id: PictureId) -> Picture:
        """The original. Raises NotFound, also after its turn."""
        ...

    async def keep_masked(self, id: PictureId, data: bytes, mime: str) -> None: ...

    async def masked(self, id: PictureId) -> tuple[bytes, str]:
        """The masked copy and its MIME type. Raises NotFound."""
        ...

    async def sweep(self) -> int:
        """Removes files whose key is gone and uploads never used; returns how many."""
        ...


class PictureTool(Protocol):
    """The only place where a stranger's picture is decoded: apart from everything, with limits."""

    async def check(self, data: bytes) -> Picture:
        """A picture, upright and whole. Raises UnsupportedPicture, BrokenPicture, PictureTooLarge."""
        ...

    async def mask(self, picture: Picture, boxes: Sequence[Box]) -> tuple[bytes, str]:
        """A re-encoded copy with black boxes, and its MIME type."""
        ...


# --- Understanding ----------------------------------------------------------------------------------


class ScreenReader(Protocol):
    """Reads screenshots. Raises ``bot.domain.errors.ReaderDown`` where the next rung should try."""

    @property
    def name(self) -> str: ...

    async def read(self, pictures: Sequence[Picture], question: str, last_question: str | None) -> Seen:
        """One Reading a picture, in order. ``question`` and the bot's ``last_question`` may help."""
        ...


class Classifier(Protocol):
    """Text to intent. Pure and quick: it may be called on the event loop."""

    def classify(self, text: str, last_bot: str | None = None) -> IntentMatch:
        """The intent of one text, seen in the light of what the bot said last."""
        ...


# --- The shop ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Performed:
    """What the order system said. ``accepted``: it will do it; ``unknown``: ask again, with the same key."""

    status: Literal["done", "accepted", "refused", "unknown"]
    reason: str | None = None


class OrderSystem(Protocol):
    async def customer(self, address: Address) -> CustomerId | None:
        """Whose address this is, by the identities that the shop keeps."""
        ...

    async def records(self, customer: CustomerId | None) -> Records:
        """A snapshot of one customer's records; empty, and without a customer, for an unknown one."""
        ...

    async def perform(self, customer: CustomerId, action: Action, key: ActionId) -> Performed:
        """Does it once for each key, and only on this customer's record. Raises Unavailable."""
        ...

    async def ping(self) -> None: ...


# --- Channels ---------------------------------------------------------------------------------------


class Channel(Protocol):
    @property
    def name(self) -> str: ...

    async def send(self, outgoing: Outgoing) -> None:
        """Says it in the platform's dialect. Raises Unavailable where it should be tried again."""
        ...
