"""The product on one page: ``ConversationManager.turn()``."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import structlog

from bot.domain.errors import Unavailable
from bot.domain.intent import IntentMatch, Meant
from bot.domain.matching import Reference
from bot.domain.message import Entry
from bot.domain.ports import Clock, Committed, Fenced, OrderSystem, Superseded
from bot.domain.reading import Seen, telling
from bot.domain.records import Records
from bot.domain.session import Draft, Evidence, Exchange, Owner, Session, Turn
from bot.domain.vocabulary import CustomerId, SessionId
from bot.flow.burst import NONE, patience
from bot.flow.decision import Decided, Decision
from bot.flow.evidence import compare
from bot.flow.inbox import Claim, Inbox
from bot.flow.language import language_of
from bot.flow.perception import Perception
from bot.flow.privacy import mask_action, mask_text
from bot.flow.understanding import Understanding

log = structlog.get_logger()

RESTARTS_AT_MOST = 3
"""Somebody who never stops typing is answered all the same."""

AT_ONCE = 32
"""Turns that one process takes side by side. Who waits for the rest of a burst takes nobody's place."""

LOOKS_AGAIN = timedelta(milliseconds=200)


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
        clock: Clock,
    ) -> None:
        self._inbox, self._perception, self._understanding = inbox, perception, understanding
        self._orders, self._decision, self._clock = orders, decision, clock
        self._places = asyncio.Semaphore(AT_ONCE)

    async def turn(self, claim: Claim, *, final: bool = False) -> Taken:
        """One turn, one commit. Raises Superseded or Fenced: then nothing has happened."""
        session, messages, began = claim.session, claim.messages, time.perf_counter()
        seen = await self._perceive(session, messages)  # masked, flagged, whoever owns the session
        records = await self._records(session.customer)
        meant = self._understand(messages, seen, session, records or Records())
        evidence = compare(seen.readings, records) if records else ()
        if session.owner is Owner.BOT:
            decided = await self._decision.decide(meant, seen, evidence, records, session, self._clock())
        else:
            decided = self._decision.aside(session.owner, meant)  # a person has it, or is awaited
        draft = drafted(claim, seen, meant, evidence, decided, now=self._clock(), began=began)
        return Taken(draft, await self._inbox.commit(claim, draft, final=final))

    async def handle(self, id: SessionId) -> Taken | None:
        """One turn of a session, with the whole burst in it; None if there is nothing to answer."""
        claim = await self._inbox.claim(id)
        if claim is None:
            return None
        async with self._inbox.held(claim):
            try:
                return await self._handle(claim)
            except Fenced:
                log.info("turn.fenced", session=id)
                return None

    async def _handle(self, claim: Claim) -> Taken | None:
        current = await self._whole_burst(claim)
        for restart in range(RESTARTS_AT_MOST + 1):
            if current is None:
                return None
            try:
                async with self._places:
                    return await self._turn_or_truth(current, final=restart == RESTARTS_AT_MOST)
            except Superseded:
                current = await self._inbox.again(current)
        return None

    async def _turn_or_truth(self, claim: Claim, *, final: bool) -> Taken:
        """The turn; and if a part of it fails, the customer is told so and gets a person, at once."""
        try:
            return await self.turn(claim, final=final)
        except (Superseded, Fenced):
            raise
        except Exception as error:  # whatever it is, the customer must not be left without an answer
            log.exception("turn.failed", session=claim.session.id, error=type(error).__name__)
            draft = self._failed(claim)
            return Taken(draft, await self._inbox.commit(claim, draft, final=final))

    async def _whole_burst(self, claim: Claim) -> Claim | None:
        current: Claim | None = claim
        while current and (wait := await self._patience(current)) > NONE:
            await asyncio.sleep(min(wait, LOOKS_AGAIN).total_seconds())
            if await self._inbox.has_more(current):
                current = await self._inbox.again(current)
        return current

    async def _patience(self, claim: Claim) -> timedelta:
        return patience(
            claim.messages,
            uploading=await self._inbox.uploading(claim.session.id),
            recent_picture=claim.session.dialogue.reading is not None,
            now=self._clock(),
        )

    async def _perceive(self, session: Session, messages: Sequence[Entry]) -> Seen:
        attachments = [a for m in messages for a in m.attachments]
        doing: Literal["reading", "thinking"] = "reading" if attachments else "thinking"
        await self._inbox.show_status(session, doing, messages[-1].seq)
        if not attachments:
            return Seen(())
        return await self._perception.perceive(attachments, _text(messages), session.dialogue.last_bot)

    async def _records(self, customer: CustomerId | None) -> Records | None:
        """None while the order system is down: what was read and asked is kept all the same."""
        try:
            return await self._orders.records(customer)
        except Unavailable as error:
            log.warning("turn.without_records", error=error.message)
            return None

    def _understand(self, messages: Sequence[Entry], seen: Seen, session: Session, records: Records) -> Meant:
        return self._understanding.understand(
            messages, seen.readings, seen.hint, session.dialogue, records, self._clock()
        )

    def _failed(self, claim: Claim) -> Draft:
        language = language_of(_text(claim.messages), (), claim.session.dialogue)
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
