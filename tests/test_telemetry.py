"""Logs: one JSON line an event, and never a customer's words."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from bot import telemetry

WORDS = "我叫王小明，电话 13912345678"


@pytest.fixture
def log(capsys: pytest.CaptureFixture[str]) -> Iterator[Any]:
    """A function that returns the events so far."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    telemetry.configure("INFO")
    yield lambda: [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    structlog.reset_defaults()
    root.handlers[:], root.level = before


def fail(text: str) -> None:
    try:
        int(text)
    except ValueError as error:
        raise KeyError(text) from error


def test_an_exception_is_logged_by_its_place_without_its_words(log: Any) -> None:
    try:
        fail(WORDS)
    except KeyError:
        structlog.get_logger().exception("turn.failed", session="s1")
    (event,) = log()
    assert (event["event"], event["session"], event["level"]) == ("turn.failed", "s1", "error")
    assert [cause["kind"] for cause in event["trace"]] == ["KeyError", "ValueError"]
    assert event["trace"][0]["at"][-1].endswith(" fail")
    assert WORDS not in json.dumps(event, ensure_ascii=False)
    assert "13912345678" not in json.dumps(event)


def test_what_libraries_log_keeps_to_the_same_rule(log: Any) -> None:
    try:
        fail(WORDS)
    except KeyError as error:
        logging.getLogger("uvicorn.error").exception("Exception in ASGI application\n")
        logging.getLogger("asyncio").error("Task exception was never retrieved\nfuture: %r", error)
        logging.getLogger("vendor").warning("cannot take %s", WORDS)
        logging.getLogger("vendor").info("taking %s", WORDS)
    events = log()
    assert [event["logger"] for event in events] == ["uvicorn.error", "asyncio", "vendor"]
    assert events[0]["trace"][0]["kind"] == "KeyError"
    assert WORDS not in json.dumps(events, ensure_ascii=False)


def test_all_of_a_group_is_told(log: Any) -> None:
    try:
        raise ExceptionGroup(WORDS, [ValueError(WORDS), TypeError(WORDS)])
    except ExceptionGroup:
        structlog.get_logger().exception("loop.failed")
    (event,) = log()
    assert [cause["kind"] for cause in event["trace"]] == ["ExceptionGroup", "ValueError", "TypeError"]


def test_an_unknown_level_is_an_error_that_names_it() -> None:
    with pytest.raises(ValueError, match="LOUD"):
        telemetry.configure("LOUD")
