"""The product on one page: ``ConversationManager.turn()``."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import structlog

from bot.domain.errors import Unavailable
from bot.domain.intent import IntentMatch, Meant
from bot.domain.matching import Reference
from bot.domain.message import Entry
from bot.domain.pace import Pace
from bot.domain.ports import Clock, Committed, Fenced, OrderSystem, Superseded, Undecided
from bot.domain.reading import Seen, telling
from bot.domain.records import Records
from bot.domain.session import Draft, Evidence, Exchange, Owner, Session, Turn
from bot.domain.vocabulary import CustomerId, Language, SessionId
from bot.flow.burst import NONE, patience
from bot.flow.decision import Decided, Decision, needs_records
from bot.flow.evidence import compare
from bot.flow.holding import HoldingAnswers, if_it_takes
from bot.flow.inbox import Claim, Inbox
from bot.flow.language import language_of
from bot.flow.perception import Perception
from bot.flow.privacy import mask_action, mask_text
from bot.flow.understanding import Understanding

log = structlog.get_logger()

RESTARTS_AT_MOST = 3
"""Somebody who never stops typing is answered all the same."""

AT_ONCE = 32
"""Turns that one process takes side by side, with pictures and without: a slow reader holds up no text. Who waits
for the rest of a burst takes nobody's place."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A turn that was taken, and what its commit said."""

    draft: Draft
    kept: Committed


class ConversationManager:
    """Takes a session's unanswered messages through one turn."""

    def __init__(
        self,
        inbox: Inbox,
        perception: Perception,
        understanding: Understanding,
        orders: OrderSystem,
        decision: Decision,
        holding: HoldingAnswers,
        clock: Clock,
        pace: Pace = Pace(),
    ) -> None:
        self._inbox, self._perception, self._understanding = inbox, perception, understanding
        self._orders, self._decision, self._holding = orders, decision, holding
        self._clock, self._pace = clock, pace
        self._reading, self._talking = asyncio.Semaphore(AT_ONCE), asyncio.Semaphore(AT_ONCE)

    async def turn(self, claim: Claim, *, final: bool = False, patient: bool = False) -> Taken | None:
        """One turn, one commit. Raises Superseded or Fenced: then nothing has happened.

        None where it is put off until the order system is back, if the caller is ``patient``: comes again.
        """
        session, messages, began = claim.session, claim.messages, time.perf_counter()
        waits = patient and session.owner is Owner.BOT and self._holding.is_patient(claim.claimed)
        if waits and claim.is_told and await self._records(session.customer) is None:
            await self._put_off(claim, self._language(claim))  # nothing is read again until then
            return None
        seen = await self._perceive(session, messages)  # masked, flagged, whoever owns the session
        records = await self._records(session.customer)
        meant = self._understand(messages, seen, session, records or Records())
        if waits and records is None and needs_records(meant):
            wants = self._wants_a_person(claim)
            if wants is None:
                await self._put_off(claim, meant.language)
                return None
            meant = wants
        evidence = compare(seen.readings, records) if records else ()
        if session.owner is Owner.BOT:
            decided = await self._decision.decide(meant, seen, evidence, records, session, self._clock())
        else:
            decided = self._decision.aside(session.owner, meant)  # a person has it, or is awaited
        draft = drafted(claim, seen, meant, evidence, decided, now=self._clock(), began=began)
        return Taken(draft, await self._inbox.commit(claim, draft, final=final))

    async def handle(self, id: SessionId, *, patient: bool = False) -> Taken | None:
        """One turn of a session, with the whole burst in it; None if nothing is to be answered now.

        A ``patient`` caller comes again: then a customer hears meanwhile that the answer takes longer, and
        waits for an order system that is down. Else the turn fails honestly.
        """
        claim = await self._inbox.claim(id)
        if claim is None:
            return None
        async with self._inbox.held(claim):
            try:
                return await self._handle(claim, patient)
            except Fenced:
                log.info("turn.fenced", session=id)
                return None
            except Undecided:
                log.warning("turn.undecided", session=id)
                if patient:
                    return None
                raise

    async def _handle(self, claim: Claim, patient: bool) -> Taken | None:
        began = time.monotonic()
        current = await self._whole_burst(claim)
        if current is None:
            return None
        waited = timedelta(seconds=time.monotonic() - began)
        thinking, slow = partial(self._show_thinking, current), partial(self._say_slow, current, patient)
        async with (
            if_it_takes(self._pace.show_within, thinking),
            if_it_takes(self._silence_left(current, waited), slow),
        ):
            return await self._turns(current, patient)

    async def _turns(self, claim: Claim, patient: bool) -> Taken | None:
        current: Claim | None = claim
        for restart in range(RESTARTS_AT_MOST + 1):
            if current is None:
                return None
            try:
                async with self._reading if current.has_pictures else self._talking:
                    return await self._turn_or_truth(current, patient, final=restart == RESTARTS_AT_MOST)
            except Superseded:
                current = await self._inbox.again(current)
        return None

    async def _turn_or_truth(self, claim: Claim, patient: bool, *, final: bool) -> Taken | None:
        """The turn; and if a part of it fails, the customer is told so and gets a person, at once."""
        try:
            return await self.turn(claim, final=final, patient=patient)
        except (Superseded, Fenced, Undecided):
            raise
        except Exception as error:  # whatever it is, the customer must not be left without an answer
            log.exception("turn.failed", session=claim.session.id, error=type(error).__name__)
            draft = self._failed(claim)
            return Taken(draft, await self._inbox.commit(claim, draft, final=final))

    def _wants_a_person(self, claim: Claim) -> Meant | None:
        """Who has heard that the order system is down may want one: what they said since counts by itself."""
        since = [message for message in claim.messages if message.seq > claim.claimed.held_seq]
        if not 0 < len(since) < len(claim.messages):
            return None
        meant = self._understand(since, Seen(()), claim.session, Records())
        return meant if meant.match.intent == "talk_to_human" and not meant.unclear else None

    async def _put_off(self, claim: Claim, language: Language) -> None:
        try:
            await self._holding.put_off(claim.claimed, language, self._clock())
        except Unavailable as error:
            raise Undecided from error

    async def _show_thinking(self, claim: Claim) -> None:
        if not claim.has_pictures:
            await self._inbox.show_status(claim.session, "thinking", claim.messages[-1].seq)

    async def _say_slow(self, claim: Claim, patient: bool) -> None:
        if patient and claim.session.owner is Owner.BOT:
            await self._holding.say_slow(claim.claimed, self._language(claim))

    def _silence_left(self, claim: Claim, waited: timedelta) -> timedelta:
        """Until the customer is to hear that it takes a moment; not at once if they have heard of an outage."""
        if claim.claimed.held_for is not None:
            return self._pace.hold_within
        waited = max(waited, self._clock() - claim.messages[0].at)
        return max(self._pace.hold_within - waited, self._pace.hold_after)

    async def _whole_burst(self, claim: Claim) -> Claim | None:
        current: Claim | None = claim
        began, news = time.monotonic(), None
        while current:
            wait = await self._patience(current, timedelta(seconds=time.monotonic() - began))
            if wait == NONE:
                return current
            news = news or self._inbox.news(current.session.id)
            with suppress(TimeoutError):
                async with asyncio.timeout(min(wait, self._pace.burst_poll).total_seconds()):
                    await anext(news)
            if await self._inbox.has_more(current):
                before, current = current, await self._inbox.again(current)
                if current and current.messages != before.messages:
                    began = time.monotonic()
        return None

    async def _patience(self, claim: Claim, waited: timedelta) -> timedelta:
        return patience(
            claim.messages,
            uploading=await self._inbox.uploading(claim.session.id),
            recent_picture=claim.session.dialogue.reading is not None,
            now=self._clock(),
            waited=waited,
        )

    async def _perceive(self, session: Session, messages: Sequence[Entry]) -> Seen:
        attachments = [a for m in messages for a in m.attachments]
        if not attachments:
            return Seen(())
        await self._inbox.show_status(session, "reading", messages[-1].seq)
        return await self._perception.perceive(attachments, _text(messages), session.dialogue.last_bot)

    async def _records(self, customer: CustomerId | None) -> Records | None:
        """None while the order system is down: what was read and asked is kept all the same."""
        try:
            return await self._orders.records(customer)
        except Unavailable as error:
            log.info("turn.without_records", error=error.message)
            return None

    def _understand(self, messages: Sequence[Entry], seen: Seen, session: Session, records: Records) -> Meant:
        return self._understanding.understand(
            messages, seen.readings, seen.hint, session.dialogue, records, self._clock()
        )

    @staticmethod
    def _language(claim: Claim) -> Language:
        return language_of(_text(claim.messages), (), claim.session.dialogue)

    def _failed(self, claim: Claim) -> Draft:
        language = self._language(claim)
        meant = Meant(IntentMatch("out_of_scope", 0.0), language, Reference())
        owner = claim.session.owner
        decided = (
            self._decision.failed(language) if owner is Owner.BOT else self._decision.aside(owner, meant)
        )
        return drafted(claim, Seen(()), meant, (), decided, now=self._clock(), began=time.perf_counter())


def drafted(
    claim: Claim,
    seen: Seen,
    meant: Meant,
    evidence: tuple[Evidence, ...],
    decided: Decided,
    *,
    now: datetime,
    began: float,
) -> Draft:
    """All that one turn commits, from what it saw, meant and decided."""
    session, messages = claim.session, claim.messages
    number = session.turns + 1
    used = telling(seen.readings)
    turn = Turn(
        session=session.id,
        turn=number,
        intent=meant.match.intent,
        confidence=round(meant.match.confidence, 4),
        page=used.page if used else None,
        facts=used.facts if used else (),
        flags=used.flags if used else (),
        readings=seen.readings,
        evidence=evidence,
        actions=tuple(mask_action(action) for action in decided.actions),
        reply=decided.reply.text if decided.reply else None,
        quick_replies=decided.reply.quick_replies if decided.reply else (),
        handoff=decided.handoff or session.handoff,
        reader=used.reader if used else None,
        ms=round((time.perf_counter() - began) * 1000, 1),
    )
    exchange = Exchange(
        turn=number,
        at=now,
        heard=mask_text(_text(messages)),
        language=meant.language,
        intent=meant.match.intent,
        reading=used,
        reply=turn.reply,
        about=decided.about,
        options=decided.options,
        proposal=decided.proposal,
        unclear=decided.unclear,
    )
    return Draft(
        turn=turn,
        exchange=exchange,
        effect=decided.effect,
        owner=Owner.WAITING if decided.handoff else session.owner,
        seen=tuple(a.id for m in messages for a in m.attachments),
    )


def _text(messages: Sequence[Entry]) -> str:
    return "\n".join(m.text for m in messages if m.text)
