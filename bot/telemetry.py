"""Logs, one JSON line an event on standard error, and the metrics. Never message text or personal data."""

import logging
import sys

import structlog
from prometheus_client import Counter, Histogram

MESSAGES = Counter("shotdesk_messages_total", "Messages accepted", ["duplicate"])
TURNS = Counter("shotdesk_turns_total", "Turns committed", ["intent", "reader", "handoff"])
TURN_SECONDS = Histogram("shotdesk_turn_seconds", "Time a turn took", ["pictures"])
SOCKETS = Counter("shotdesk_sockets_total", "Sockets opened")


def configure(level: str) -> None:
    """Raises ValueError for an unknown level."""
    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        raise ValueError(f"there is no log level {level!r}; known are DEBUG, INFO, WARNING, ERROR")
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.dict_tracebacks,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
