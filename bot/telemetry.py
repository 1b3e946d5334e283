"""Logs, one JSON line an event on standard error, and the metrics. Never message text or personal data."""

import logging
import sys
import traceback
from collections.abc import Iterator, MutableMapping
from typing import Any

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
            trace,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=lambda *_: structlog.WriteLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(handlers=[_Libraries()], level=max(number, logging.WARNING), force=True)


def trace(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Where an exception came from and its causes' kinds: their words and variables may be a customer's."""
    given = event.pop("exc_info", None)
    error = sys.exc_info()[1] if given is True else given[1] if isinstance(given, tuple) else given
    if isinstance(error, BaseException):
        event["trace"] = [*_causes(error)]
    return event


def _causes(error: BaseException) -> Iterator[dict[str, Any]]:
    cause: BaseException | None = error
    while cause is not None:
        frames = traceback.extract_tb(cause.__traceback__)
        yield {
            "kind": type(cause).__name__,
            "at": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames],
        }
        if isinstance(cause, BaseExceptionGroup):
            for member in cause.exceptions:
                yield from _causes(member)
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)


OURS = ("adapters", "bot", "intents")


class _Libraries(logging.Handler):
    """What libraries log, as events. They may quote what went wrong: only the template's first line is kept."""

    def emit(self, record: logging.LogRecord) -> None:
        said = record.getMessage() if record.name.startswith(OURS) else str(record.msg)
        structlog.get_logger().log(
            record.levelno,
            "library",
            logger=record.name,
            said=said.partition("\n")[0],
            exc_info=record.exc_info,
        )
