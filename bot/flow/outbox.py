"""Deliver, retry, never twice: the way out, in order within a session."""

import asyncio
from collections.abc import Mapping

import structlog

from bot.domain.errors import Unavailable
from bot.domain.pace import Pace
from bot.domain.ports import Channel, Fenced, Outgoing, Store
from bot.domain.vocabulary import SessionId

log = structlog.get_logger()


class Outbox:
    """Sends what was committed, through the channel of each session."""

    def __init__(self, store: Store, channels: Mapping[str, Channel], pace: Pace = Pace()) -> None:
        self._store, self._channels, self._pace = store, channels, pace

    async def deliver(self, session: SessionId, first: Outgoing | None = None) -> None:
        """Sends what is due in a session, until nothing is, or a try failed, or somebody else is at it.

        ``first`` is a reply that was claimed with its turn.
        """
        try:
            outgoing = first or await self._store.claim_reply(session, self._pace.reply_lease)
            while outgoing and await self._send(outgoing):
                outgoing = await self._store.claim_reply(session, self._pace.reply_lease)
        except Fenced:
            log.info("reply.fenced", session=session)

    async def _send(self, outgoing: Outgoing) -> bool:
        """Whether there is more to send now."""
        channel = self._channels.get(outgoing.address.channel)
        if channel is None:
            log.error("reply.no_channel", session=outgoing.entry.session, channel=outgoing.address.channel)
            return await self._store.settle_reply(outgoing, give_up=True)
        try:
            async with asyncio.timeout(self._pace.send_within.total_seconds()):
                await channel.send(outgoing)
        except (Unavailable, TimeoutError) as error:
            entry = outgoing.entry
            log.warning("reply.put_off", session=entry.session, seq=entry.seq, error=type(error).__name__)
            await self._put_off(outgoing)
            return False
        return await self._store.settle_reply(outgoing)

    async def _put_off(self, outgoing: Outgoing) -> None:
        if outgoing.tries < len(self._pace.send_again):
            await self._store.settle_reply(outgoing, again_in=self._pace.send_again[outgoing.tries])
        else:
            await self._store.settle_reply(outgoing, give_up=True)
