"""A session, its dialogue, and one turn of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, computed_field, model_serializer

from bot.domain.base import Model
from bot.domain.message import Address, Reply
from bot.domain.reading import Fact, Reading
from bot.domain.vocabulary import (
    ActionId,
    ActionName,
    ActionStatus,
    CustomerId,
    FactName,
    Flag,
    HandoffReason,
    IntentName,
    Language,
    Page,
    PictureId,
    SessionId,
    Verdict,
)

WINDOW = 12
"""Exchanges that the living dialogue remembers."""

MEMORY = timedelta(hours=24)
"""An exchange older than this is history: kept, shown, but no longer what the talk is about."""

PROPOSAL_STANDS = timedelta(minutes=30)
"""After this a yes no longer confirms: the customer is asked again."""


COURTESIES: frozenset[IntentName] = frozenset({"greet", "thank"})
"""What leaves open whatever the customer was asked."""


class Owner(StrEnum):
    """Who answers: ``bot -> waiting -> human -> bot | closed``."""

    BOT = "bot"
    WAITING = "waiting"
    HUMAN = "human"
    CLOSED = "closed"


class Evidence(Model):
    """One fact of the picture beside the customer's record."""

    fact: FactName
    shown: str
    recorded: str | None
    verdict: Verdict
    record: str | None

    @computed_field  # type: ignore[prop-decorator]  # pydantic's documented spelling
    @property
    def match(self) -> bool:
        return self.verdict == "match"


class Action(Model):
    """Something that changes the world, as far as it has come."""

    name: ActionName
    target: str
    status: ActionStatus
    amount: str | None = None
    unit: str | None = None
    address: str | None = None
    email: str | None = None

    @model_serializer(mode="wrap")
    def _without_what_does_not_apply(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {key: value for key, value in handler(self).items() if value is not None}


class Proposal(Model):
    """An action that the customer was asked about. ``id`` becomes the effect's key.

    The action's parameters are plain here, for the order system; they are masked where a Turn shows them.
    ``wording`` fills the reply that tells the result.
    """

    id: ActionId
    action: Action
    intent: IntentName
    wording: dict[str, str] = Field(default_factory=dict)
    at: datetime

    def stands(self, now: datetime) -> bool:
        return now - self.at < PROPOSAL_STANDS


class Effect(Model):
    """A confirmed action, to be done once: ``proposal.id`` is its idempotency key."""

    proposal: Proposal
    session: SessionId
    turn: int
    customer: CustomerId
    language: Language
    tries: int = 0


class Handoff(Model):
    reason: HandoffReason
    queue: str = "service"


class Option(Model):
    """One of the choices that the customer was offered: a record, or (``intent``) something to do."""

    label: str
    ref: str | None = None
    intent: IntentName | None = None


class Turn(Model):
    """One turn, printed alike by the command line, the API, the console and tests. ``ms``: milliseconds."""

    session: SessionId
    turn: int
    intent: IntentName | None
    confidence: float
    page: Page | None = None
    facts: tuple[Fact, ...] = ()
    flags: tuple[Flag, ...] = ()
    readings: tuple[Reading, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    actions: tuple[Action, ...] = ()
    reply: str | None
    quick_replies: tuple[str, ...] = ()
    handoff: Handoff | None = None
    reader: str | None = None
    ms: float = 0.0


class Exchange(Model):
    """What the dialogue remembers of one turn, personal data masked."""

    turn: int
    at: datetime
    heard: str = ""
    language: Language
    intent: IntentName | None = None
    reading: Reading | None = None
    reply: str | None = None
    about: tuple[str, ...] = ()
    options: tuple[Option, ...] = ()
    proposal: Proposal | None = None
    unclear: bool = False


class Dialogue(Model):
    """The living dialogue: a window on the last exchanges, the same from Redis and rebuilt from SQL."""

    exchanges: tuple[Exchange, ...] = ()

    @classmethod
    def of(cls, exchanges: Iterable[Exchange], now: datetime) -> "Dialogue":
        """The last exchanges that are not too old, whatever was handed in, in the order of their turns."""
        fresh = sorted((e for e in exchanges if now - e.at < MEMORY), key=lambda e: e.turn)
        return cls(exchanges=tuple(fresh[-WINDOW:]))

    @property
    def last(self) -> Exchange | None:
        return self.exchanges[-1] if self.exchanges else None

    @property
    def last_bot(self) -> str | None:
        """What the bot said last."""
        return next((e.reply for e in reversed(self.exchanges) if e.reply), None)

    @property
    def options(self) -> tuple[Option, ...]:
        """The choices offered last; a word of courtesy leaves them open."""
        return next((e.options for e in reversed(self.exchanges) if e.intent not in COURTESIES), ())

    @property
    def about(self) -> tuple[str, ...]:
        """The records that were last spoken of."""
        return next((e.about for e in reversed(self.exchanges) if e.about), ())

    def told(self, intent: IntentName) -> tuple[str, ...]:
        """The records that the last turn told of, if this is what was asked."""
        return self.last.about if self.last and self.last.intent == intent else ()

    @property
    def intent(self) -> IntentName | None:
        """The last intent that was more than a word of courtesy."""
        courtesies = {"greet", "thank", "affirm", "deny", "out_of_scope"}
        return next((e.intent for e in reversed(self.exchanges) if e.intent not in courtesies | {None}), None)

    @property
    def reading(self) -> Reading | None:
        """The last picture that said something."""
        return next((e.reading for e in reversed(self.exchanges) if e.reading and e.reading.facts), None)

    @property
    def picture_on_the_table(self) -> bool:
        """Whether that picture has come after whatever record was last spoken of."""
        latest = next(
            (e for e in reversed(self.exchanges) if e.about or (e.reading and e.reading.facts)), None
        )
        return latest is not None and not latest.about

    @property
    def has_asked(self) -> bool:
        """Whether the bot's last question is open: leave for something, a choice, or what is meant."""
        last = next((e for e in reversed(self.exchanges) if e.intent not in COURTESIES), None)
        return last is not None and (last.proposal is not None or bool(last.options) or last.unclear)

    @property
    def unclear_in_a_row(self) -> int:
        """How many of the latest exchanges ended with the bot not understanding."""
        count = 0
        for exchange in reversed(self.exchanges):
            if not exchange.unclear:
                break
            count += 1
        return count

    def proposal(self, now: datetime) -> Proposal | None:
        """What the customer was asked to confirm, if that still stands."""
        pending = self.last.proposal if self.last else None
        return pending if pending and pending.stands(now) else None

    def language(self, default: Language) -> Language:
        return self.last.language if self.last else default


@dataclass(frozen=True, slots=True)
class Holding:
    """What is said to a customer whose answer takes longer, beside the turn, once for each reason.

    ``slow``: the bot is at it. ``down``: the order system does not answer.
    """

    why: Literal["slow", "down"]
    reply: Reply


@dataclass(frozen=True, slots=True)
class Session:
    """The lasting thread of one customer on one channel."""

    id: SessionId
    address: Address
    customer: CustomerId | None
    owner: Owner
    turns: int
    dialogue: Dialogue
    handoff: Handoff | None = None


class Draft(Model):
    """What a turn wants committed, in one transaction: all of it or nothing.

    ``seen`` are the pictures whose originals end with this turn.
    """

    turn: Turn
    exchange: Exchange
    effect: Effect | None = None
    owner: Owner
    seen: tuple[PictureId, ...] = ()

    @property
    def reply(self) -> Reply | None:
        """None where a person answers, and while an effect is on its way: its result is the answer."""
        if self.turn.reply is None:
            return None
        return Reply(text=self.turn.reply, quick_replies=self.turn.quick_replies)
