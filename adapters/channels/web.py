"""The widget: the log is what it shows, so that sending is telling its sockets that there is more of it."""

from bot.domain.ports import Live, Outgoing, SessionCache


class WebChannel:
    """Delivers to whoever watches the session; who is away reads it in the log when they come back."""

    name = "web"

    def __init__(self, cache: SessionCache) -> None:
        self._cache = cache

    async def send(self, outgoing: Outgoing) -> None:
        await self._cache.announce(outgoing.entry.session, Live("entry", outgoing.entry.seq))
