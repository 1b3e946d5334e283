"""Propose, confirmed in a later turn, pending, then done, refused or failed: nothing else acts."""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta

import structlog

from bot.domain.intent import Propose, Value
from bot.domain.message import Reply
from bot.domain.pace import Pace
from bot.domain.ports import ClaimedEffect, Fenced, Ids, OrderSystem, Performed, Store
from bot.domain.session import Action, Effect, Handoff, Proposal, Session
from bot.domain.vocabulary import ActionId, ActionStatus, CustomerId, Language
from bot.flow.wording import Wording

log = structlog.get_logger()

ACTS_AT_LEAST = timedelta(seconds=1)
"""What the order system has, however long the turn took."""

_STATUS: Mapping[str, ActionStatus] = {
    "done": "done",
    "refused": "refused",
    "accepted": "pending",
    "unknown": "pending",
}


class Actions:
    """Makes proposals and effects, and performs an effect once, whatever dies in between."""

    def __init__(
        self, store: Store, orders: OrderSystem, wording: Wording, ids: Ids, pace: Pace = Pace()
    ) -> None:
        self._store, self._orders, self._wording, self._ids = store, orders, wording, ids
        self._pace = pace

    def propose(self, outcome: Propose, language: Language, now: datetime) -> Proposal:
        """What the customer is asked to confirm. Its id is the key under which it is done, once."""
        return Proposal(
            id=ActionId(self._ids()),
            action=outcome.action,
            intent=outcome.intent,
            wording=self._words(outcome.wording, language),
            at=now,
        )

    def confirm(
        self, proposal: Proposal, session: Session, customer: CustomerId, language: Language
    ) -> Effect:
        """What a yes sets in motion, in the turn that is being committed."""
        return Effect(
            proposal=proposal,
            session=session.id,
            turn=session.turns + 1,
            customer=customer,
            language=language,
        )

    async def perform(self, id: ActionId, spent: timedelta = timedelta(0)) -> None:
        """Does what was confirmed and tells the customer, unless somebody else is at it or it is settled.

        ``spent``: what the customer has waited for already.
        """
        claimed = await self._store.claim_effect(id, self._pace.effect_lease)
        if claimed is None:
            return
        if claimed.follows:
            performed = Performed("unknown")
        else:
            performed = await self._ask(claimed.effect, max(self._pace.act_within - spent, ACTS_AT_LEAST))
        try:
            await self._settle(claimed, performed)
        except Fenced:
            log.info("effect.fenced", action=id)

    async def _ask(self, effect: Effect, within: timedelta) -> Performed:
        action = effect.proposal.action
        try:
            async with asyncio.timeout(within.total_seconds()):
                return await self._orders.perform(effect.customer, action, effect.proposal.id)
        except Exception as error:  # whatever it was, it may have been done: the same key is asked again
            log.warning(
                "effect.unknown", action=effect.proposal.id, name=action.name, error=type(error).__name__
            )
            return Performed("unknown")

    async def _settle(self, claimed: ClaimedEffect, performed: Performed) -> None:
        effect = claimed.effect
        status = _STATUS[performed.status]
        again_in, handoff = None, None
        if status == "pending":
            again_in = next(iter(self._pace.act_again[effect.tries :]), None)
            if again_in is None:
                status, handoff = "failed", Handoff(reason="failure")
        reply = self._reply(effect, status)
        action = effect.proposal.action.model_copy(update={"status": status})
        await self._store.settle_effect(
            claimed,
            action,
            reply,
            again_in=again_in,
            accepted=performed.status == "accepted",
            handoff=handoff,
        )
        log.info("effect.settled", action=effect.proposal.id, name=action.name, status=status)

    def _reply(self, effect: Effect, status: ActionStatus) -> Reply:
        return self._wording.say(effect.proposal.intent, status, effect.proposal.wording, effect.language)

    def _words(self, wording: Mapping[str, Value], language: Language) -> dict[str, str]:
        return {name: self._wording.value(value, language) for name, value in wording.items()}


def as_pending(effect: Effect) -> Action:
    """The action as its turn shows it until the order system has answered."""
    return effect.proposal.action.model_copy(update={"status": "pending"})
