"""What is meant, and what the records say -> what is said, asked, proposed, set in motion or handed over."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from bot.domain.intent import (
    Ask,
    Choose,
    Confirmed,
    Declined,
    Handler,
    HandOff,
    Meant,
    Outcome,
    Propose,
    Say,
)
from bot.domain.matching import exactly
from bot.domain.message import Reply
from bot.domain.reading import Seen
from bot.domain.records import Records
from bot.domain.session import Action, Effect, Evidence, Handoff, Option, Owner, Proposal, Session
from bot.domain.times import PartialTime
from bot.domain.vocabulary import MONEY_FACTS, TIME_FACTS, FactName, IntentName, Language
from bot.flow.actions import Actions, as_pending
from bot.flow.wording import SHARED, Wording

MOST_CHOICES = 5

CLARIFIES_AT_MOST = 2
"""After so many questions in a row that did not help, a person takes over."""

SAID_WHEN_THEY_DIFFER: frozenset[FactName] = MONEY_FACTS | TIME_FACTS
"""A status moves on by itself; money and times do not."""

NOT_OFFERED: frozenset[IntentName] = frozenset(
    {"greet", "thank", "affirm", "deny", "out_of_scope", "complain"}
)
"""Nothing that a customer would pick as what they want done."""


STANDS_ALONE: frozenset[IntentName] = NOT_OFFERED - {"out_of_scope"} | {"talk_to_human"}
"""What can be answered whatever picture and records say."""


@dataclass(frozen=True, slots=True)
class Decided:
    """The outcome, in words. ``reply`` is None while an effect is on its way: its result is the answer."""

    reply: Reply | None
    about: tuple[str, ...] = ()
    options: tuple[Option, ...] = ()
    proposal: Proposal | None = None
    effect: Effect | None = None
    actions: tuple[Action, ...] = ()
    handoff: Handoff | None = None
    unclear: bool = False


class Decision:
    """Asks the handler of what is meant, and puts its outcome into words."""

    def __init__(self, handlers: Mapping[IntentName, Handler], wording: Wording, actions: Actions) -> None:
        self._handlers, self._wording, self._actions = handlers, wording, actions

    async def decide(
        self,
        meant: Meant,
        seen: Seen,
        evidence: tuple[Evidence, ...],
        records: Records | None,
        session: Session,
        now: datetime,
    ) -> Decided:
        """``records``: None while the order system is down."""
        if records is None and needs_records(meant):
            return self.failed(meant.language)
        records = records or Records()
        match meant.settled:
            case Confirmed(proposal):
                return await self._confirm(proposal, meant, records, session, now)
            case Declined(proposal):
                return self._decline(proposal, meant)
        if meant.unclear or self._needs_the_picture(meant, seen):
            return self._clarify(meant, seen, session)
        ask = Ask(
            intent=meant.match.intent,
            reference=meant.reference,
            records=records,
            now=now,
            readings=seen.readings,
            evidence=evidence,
            told=session.dialogue.told(meant.match.intent),
        )
        outcome = await self._handlers[meant.match.intent].handle(ask)
        decided = self._word(outcome, ask.intent, meant.language, records, now)
        if meant.keeps_proposal and session.dialogue.last:
            decided = replace(decided, proposal=session.dialogue.last.proposal)
        return self._with_differences(decided, evidence, records, meant.language)

    def aside(self, owner: Owner, meant: Meant) -> Decided:
        """Beside a person: who still waits for one hears that it is so; else the bot is silent."""
        if owner is Owner.WAITING:
            return Decided(self._wording.say(SHARED, "waiting", {}, meant.language))
        return Decided(None)

    def failed(self, language: Language) -> Decided:
        """When a part that is needed has failed, the customer hears the truth and gets a person."""
        reply = self._wording.say(SHARED, "trouble", {}, language)
        return Decided(reply, handoff=Handoff(reason="failure"))

    async def _confirm(
        self, proposal: Proposal, meant: Meant, records: Records, session: Session, now: datetime
    ) -> Decided:
        """The handler looks again: only what it would still propose, on today's records, is done."""
        intent: IntentName = proposal.intent
        reference = exactly(proposal.action.target, records)
        outcome = await self._handlers[intent].handle(
            Ask(intent=intent, reference=reference, records=records, now=now)
        )
        same = isinstance(outcome, Propose) and outcome.action == proposal.action
        if not same or session.customer is None:
            return self._word(outcome, intent, meant.language, records, now)
        effect = self._actions.confirm(proposal, session, session.customer, meant.language)
        about = outcome.about if isinstance(outcome, Propose) else ()
        return Decided(None, about=about, effect=effect, actions=(as_pending(effect),))

    @staticmethod
    def _needs_the_picture(meant: Meant, seen: Seen) -> bool:
        """Whether the question rests on a picture that nobody can read."""
        unread = bool(seen.readings) and all("unreadable" in r.flags for r in seen.readings)
        return unread and not meant.reference.named and meant.match.intent not in STANDS_ALONE

    def _decline(self, proposal: Proposal, meant: Meant) -> Decided:
        refused = proposal.action.model_copy(update={"status": "refused"})
        reply = self._wording.say(proposal.intent, "declined", proposal.wording, meant.language)
        return Decided(reply, actions=(refused,))

    def _clarify(self, meant: Meant, seen: Seen, session: Session) -> Decided:
        """Asks with choices rather than guessing; does not ask for ever."""
        language = meant.language
        if session.dialogue.unclear_in_a_row >= CLARIFIES_AT_MOST:
            reply = self._wording.say(SHARED, "give_up", {}, language)
            return Decided(reply, handoff=Handoff(reason="low_confidence"), unclear=True)
        if any("unreadable" in r.flags for r in seen.readings):
            return Decided(self._wording.say(SHARED, "unreadable", {}, language), unclear=True)
        likely = (meant.match.intent, *(a.intent for a in meant.match.alternatives))
        options = tuple(
            Option(label=self._wording.say(SHARED, f"ask.{intent}", {}, language).text, intent=intent)
            for intent in likely
            if intent not in NOT_OFFERED
        )[:3]
        reply = self._wording.say(SHARED, "clarify" if options else "say_more", {}, language)
        return Decided(_with_buttons(reply, options), options=options, unclear=True)

    def _word(
        self, outcome: Outcome, intent: IntentName, language: Language, records: Records, now: datetime
    ) -> Decided:
        reply = self._wording.say(intent, outcome.key, outcome.wording, language)
        match outcome:
            case Say(about=about):
                answers = tuple(Option(label=label, intent=intent) for label in reply.quick_replies)
                return Decided(reply, about=about, options=answers)
            case Choose(records=choices):
                options = tuple(
                    Option(label=self._wording.label(r, records, language), ref=r.ref)
                    for r in choices[:MOST_CHOICES]
                )
                return Decided(_with_buttons(reply, options), options=options)
            case Propose(action=action, about=about):
                proposal = self._actions.propose(outcome, language, now)
                buttons = (
                    reply.quick_replies or self._wording.say(SHARED, "yes_no", {}, language).quick_replies
                )
                reply = reply.model_copy(update={"quick_replies": buttons})
                return Decided(reply, about=about, proposal=proposal, actions=(action,))
            case HandOff(handoff=handoff, about=about):
                return Decided(reply, about=about, handoff=handoff)

    def _with_differences(
        self, decided: Decided, evidence: Sequence[Evidence], records: Records, language: Language
    ) -> Decided:
        """The reply, opened by where picture and records disagree: it is the records that count."""
        differing = [
            e
            for e in evidence
            if e.verdict == "mismatch" and e.fact in SAID_WHEN_THEY_DIFFER and e.shown != e.recorded
        ]
        if not differing or decided.reply is None:
            return decided
        said = [self._difference(line, records, language) for line in differing[:3]]
        text = "\n".join([*said, decided.reply.text])
        return replace(decided, reply=decided.reply.model_copy(update={"text": text}))

    def _difference(self, line: Evidence, records: Records, language: Language) -> str:
        wording = {
            "fact": self._wording.say(SHARED, f"fact.{line.fact}", {}, language).text,
            "shown": self._written(line, line.shown, records, language),
            "recorded": self._written(line, line.recorded or "", records, language),
        }
        return self._wording.say(SHARED, "differs", wording, language).text

    def _written(self, line: Evidence, value: str, records: Records, language: Language) -> str:
        if line.fact in MONEY_FACTS:
            currency = getattr(records.by_ref(line.record or ""), "currency", None)
            return self._wording.amount(value, currency, language)
        time = PartialTime.parse(value)
        return self._wording.partial(time, language) if time else value


def needs_records(meant: Meant) -> bool:
    """Whether the answer rests on the customer's records."""
    match meant.settled:
        case Confirmed():
            return True
        case Declined():
            return False
    return meant.match.intent not in STANDS_ALONE


def _with_buttons(reply: Reply, options: Sequence[Option]) -> Reply:
    return reply.model_copy(update={"quick_replies": tuple(option.label for option in options)})
