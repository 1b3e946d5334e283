"""Intents: what a customer wants done now."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from bot.domain.matching import Nothing, One, R, Reference, Several
from bot.domain.reading import Reading, telling
from bot.domain.records import Money, Record, Records
from bot.domain.session import Action, Evidence, Handoff, Proposal
from bot.domain.vocabulary import ActionName, HandoffReason, IntentName, Language


@dataclass(frozen=True, slots=True)
class Term:
    """A word of ours (a status, a period) that ``replies.yml`` has in every language, under this key."""

    key: str
    otherwise: str = ""
    """What stands where no language knows the key: a word of the shop's own."""


Value = str | int | Money | date | datetime | Term | tuple[str, ...]
"""What fills a reply; it is formatted by the customer's language there."""


@dataclass(frozen=True, slots=True)
class Alternative:
    """An intent that was thought of, and how likely it is (0 to 1)."""

    intent: IntentName
    confidence: float


@dataclass(frozen=True, slots=True)
class IntentMatch:
    """The likeliest intent of a text. ``alternatives`` are the next ones, the likeliest first."""

    intent: IntentName
    confidence: float
    alternatives: tuple[Alternative, ...] = ()


# --- What a turn means ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The customer said yes to the pending action."""

    proposal: Proposal


@dataclass(frozen=True, slots=True)
class Declined:
    """The customer said no to it."""

    proposal: Proposal


Settled = Confirmed | Declined | None
"""What became of the pending action. Neither: whatever was pending is void unless the turn keeps it."""


@dataclass(frozen=True, slots=True)
class Meant:
    """What the customer means in this turn."""

    match: IntentMatch
    language: Language
    reference: Reference
    settled: Settled = None
    keeps_proposal: bool = False
    """A courtesy between the question and its answer leaves the question open."""
    unclear: bool = False
    """Too uncertain to act upon: the customer is asked which of ``match`` is meant."""


# --- What a handler gets, and gives back ------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Say:
    """Tells something: the reply ``key``, filled by ``wording``. ``about``: the records it speaks of."""

    key: str
    wording: Mapping[str, Value]
    about: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Choose:
    """Asks which one is meant."""

    key: str
    wording: Mapping[str, Value]
    records: tuple[Record, ...]


@dataclass(frozen=True, slots=True)
class Propose:
    """Asks for leave to do something. The handler of ``intent`` looks again when it is confirmed."""

    key: str
    wording: Mapping[str, Value]
    action: Action
    intent: IntentName
    about: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HandOff:
    """Gives the session to a person."""

    key: str
    wording: Mapping[str, Value]
    handoff: Handoff
    about: tuple[str, ...] = ()


Outcome = Say | Choose | Propose | HandOff


@dataclass(frozen=True, slots=True)
class Ask:
    """One thing that a customer asks, with all that a handler may know: no records but this customer's."""

    intent: IntentName
    reference: Reference
    records: Records
    now: datetime
    readings: tuple[Reading, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    told: tuple[str, ...] = ()
    """The records that the turn before told of, where the same was asked."""

    @property
    def identified(self) -> bool:
        """Whether it is known who asks; a visitor has no records."""
        return self.records.customer is not None

    @property
    def reading(self) -> Reading | None:
        """The picture that this turn is about."""
        return telling(self.readings)

    def find(self, candidates: Sequence[R]) -> One[R] | Several[R] | Nothing:
        """Which of the candidates the customer means: by picture, words, earlier turns."""
        return self.reference.find(candidates, self.records)

    def say(self, key: str, *about: Record, **wording: Value) -> Say:
        return Say(key, wording, tuple(r.ref for r in about))

    def choose(self, records: Sequence[Record], key: str = "which", **wording: Value) -> Choose:
        return Choose(key, wording, tuple(records))

    def propose(
        self,
        action: ActionName,
        target: str,
        *about: Record,
        key: str = "propose",
        intent: IntentName | None = None,
        **wording: Value,
    ) -> Propose:
        """``intent``: whose action it is, where another one's handler proposes it."""
        act = Action(name=action, target=target, status="proposed")
        return Propose(key, wording, act, intent or self.intent, tuple(r.ref for r in about))

    def hand_off(self, reason: HandoffReason, key: str = "handoff", **wording: Value) -> HandOff:
        return HandOff(key, wording, Handoff(reason=reason))


@dataclass(frozen=True, slots=True)
class Handler:
    """Ask in, Outcome out: it sends nothing and changes nothing."""

    intent: IntentName
    handle: Callable[[Ask], Awaitable[Outcome]]


def intent(name: IntentName) -> Callable[[Callable[[Ask], Awaitable[Outcome]]], Handler]:
    """Makes a function the handler of an intent; the application finds it in the intent's folder."""
    return lambda handle: Handler(name, handle)
