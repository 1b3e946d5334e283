"""The order file: what is read, and what is said of a bad one."""

import json
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.orders.file import MAX_BYTES, dump, parse, plain
from bot.domain.errors import BadOrderFile

ZONE = ZoneInfo("Asia/Shanghai")
FILES = Path(__file__).with_name("order_files")
EXAMPLE = (FILES / "example.json").read_bytes()
BAD: dict[str, dict[str, Any]] = yaml.safe_load((FILES / "bad.yml").read_text(encoding="utf-8"))


def complaint(data: bytes) -> list[str]:
    with pytest.raises(BadOrderFile) as caught:
        parse(data, ZONE)
    return caught.value.message.splitlines()


@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_refused_with_the_reasons(name: str) -> None:
    assert complaint(BAD[name]["text"].encode()) == BAD[name]["says"]


def test_the_contracts_example_is_read_and_written() -> None:
    file = parse(EXAMPLE, ZONE)
    assert parse(dump(file, ZONE), ZONE) == file
    written = json.loads(EXAMPLE)
    for section, records in written.items():
        for record, model in zip(records, getattr(file, section), strict=True):
            assert plain(model, ZONE) == record


def test_sections_and_optional_keys_may_be_left_out() -> None:
    assert parse(b"{}", ZONE) == parse(b'{"orders": []}', ZONE)
    order = {"order_no": "1", "customer": "C", "status": "paid", "currency": "CNY", "total": "1.00"}
    (read,) = parse(json.dumps({"orders": [order | {"ordered_at": "2025-12-01"}]}).encode(), ZONE).orders
    assert (read.address, read.shipment, read.items) == (None, None, ())


def test_a_byte_order_mark_is_passed_over() -> None:
    assert parse(b"\xef\xbb\xbf" + EXAMPLE, ZONE) == parse(EXAMPLE, ZONE)


@pytest.mark.parametrize(
    ("text", "local"),
    [
        ("2025-12-01T08:30:00", "2025-12-01T08:30:00"),
        ("2025-12-01T08:30", "2025-12-01T08:30:00"),
        ("2025-12-01T00:30:00Z", "2025-12-01T08:30:00"),
        ("2025-12-01T09:30:00+09:00", "2025-12-01T08:30:00"),
        ("2025-12-01", "2025-12-01T00:00:00"),
    ],
)
def test_a_time_is_shop_local(text: str, local: str) -> None:
    charge = {"charge_no": "1", "customer": "C", "amount": "1.00", "currency": "CNY", "charged_at": text}
    (read,) = parse(json.dumps({"charges": [charge]}).encode(), ZONE).charges
    assert read.charged_at.tzinfo is ZONE
    assert plain(read, ZONE)["charged_at"] == local


def test_a_date_stays_a_date() -> None:
    file = parse(EXAMPLE, ZONE)
    assert file.refunds[0].expected_at == date(2025, 12, 5)
    assert plain(file.refunds[0], ZONE)["expected_at"] == "2025-12-05"


def test_only_the_first_problems_are_listed() -> None:
    lines = complaint(json.dumps({"customers": [{}] * 30}).encode())
    assert lines[0] == "customers[0].id: missing"
    assert lines[19:] == ["customers[19].id: missing", "and 10 more"]


def test_not_utf8() -> None:
    assert complaint('{"customers": []}'.encode("utf-16")) == ["byte 0: not valid UTF-8"]
    assert complaint(b'{"customers": "\xb0\xb2"}') == ["byte 15: not valid UTF-8"]


def test_nested_too_deeply() -> None:
    assert complaint(b'{"orders": ' + b"[" * 100_000) == ["not JSON: nested too deeply"]


def test_a_number_too_long() -> None:
    (line,) = complaint(b'{"products": [{"stock": ' + b"9" * 10_000 + b"}]}")
    assert line.startswith("not JSON: ")


def test_too_large() -> None:
    assert complaint(b" " * (MAX_BYTES + 1)) == ["the file is larger than 64 MiB; split it"]


@settings(max_examples=50, deadline=None)
@given(st.binary())
def test_bytes_are_read_or_refused(data: bytes) -> None:
    with suppress(BadOrderFile):
        parse(data, ZONE)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
_SECTIONS = st.sampled_from(sorted(json.loads(EXAMPLE)))


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_an_example_with_one_thing_changed_is_read_or_refused(data: st.DataObject) -> None:
    file = json.loads(EXAMPLE)
    record = file[data.draw(_SECTIONS)][0]
    key = data.draw(st.sampled_from(sorted(record)) | st.text())
    record[key] = data.draw(_JSON)
    with suppress(BadOrderFile):
        parse(json.dumps(file).encode(), ZONE)
