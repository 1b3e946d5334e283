"""The one place where a Redis key is spelt. What belongs to a session shares a slot of a cluster."""

from bot.domain.vocabulary import SessionId

WAKE = "shotdesk:wake"
"""The stream of wake-ups."""

EVERYBODY = "shotdesk:live"
"""A channel on which nothing is said: to listen at all, one must listen to something."""

_LIVE = "shotdesk:live:"


def dialogue(session: SessionId) -> str:
    return f"shotdesk:{{{session}}}:dialogue"


def expected(session: SessionId) -> str:
    return f"shotdesk:{{{session}}}:expected"


def uses(what: str) -> str:
    return f"shotdesk:uses:{what}"


def live(session: SessionId) -> str:
    return f"{_LIVE}{session}"


def session_of(channel: str) -> SessionId | None:
    """The session that a live channel belongs to."""
    return SessionId(channel.removeprefix(_LIVE)) if channel.startswith(_LIVE) else None
