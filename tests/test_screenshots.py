"""The labelled screenshots: labels keep to the contract, and the scorer counts as it says."""

import json
import re
from pathlib import Path
from typing import Any, get_args

import pytest
from PIL import Image

from bot.domain import vocabulary as words
from tests.screenshots.degrade import WAYS, degrade
from tests.screenshots.generate import SPLITS
from tests.screenshots.score import score

HERE = Path(__file__).parent / "screenshots"
LABELS = sorted(file for split in SPLITS for file in (HERE / split).glob("*.json"))
TIME = re.compile(r"(\d{4}-)?\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2})?)?")
STATES = {
    "auto_renewal": words.RenewalState,
    "order_status": words.OrderStatus,
    "payment_status": words.PaymentStatus,
    "refund_status": words.RefundStatus,
    "shipment_status": words.ShipmentStatus,
    "coupon_status": words.CouponStatus,
}


def load(file: Path) -> dict[str, Any]:
    label: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return label


def numbers(text: str) -> set[int]:
    return {int(number) for number in re.findall(r"\d+", text)}


@pytest.mark.parametrize("file", LABELS, ids=lambda file: file.stem)
def test_label_keeps_to_the_vocabulary(file: Path) -> None:
    label = load(file)
    assert label["page"] in words.PAGES
    assert label["language"] in (*get_args(words.PageLanguage), None)
    assert set(label["flags"]) <= set(get_args(words.Flag))
    for fact in label["facts"]:
        assert fact["name"] in words.FACTS
        assert ("unit" in fact) == (fact["name"] in words.MONEY_FACTS)
        if fact["name"] in STATES:
            assert fact["value"] in get_args(STATES[fact["name"]])
        assert fact.get("group", 0) >= 0


@pytest.mark.parametrize("file", LABELS, ids=lambda file: file.stem)
def test_values_are_normalised_and_stand_in_their_text(file: Path) -> None:
    for fact in load(file)["facts"]:
        name, value, text = fact["name"], fact["value"], fact["text"]
        if name in words.MONEY_FACTS:
            assert re.fullmatch(r"\d+\.\d{2}", value)
            assert fact["unit"] is None or re.fullmatch(r"[A-Z]{3}", fact["unit"])
            assert float(value) == float(re.sub(r"[^\d.]", "", text).strip("."))
        elif name in words.TIME_FACTS:
            assert all(TIME.fullmatch(each) for each in [value, *fact.get("or", [])]), fact
            said = numbers(value)
            assert numbers(text) <= said | {number - 12 for number in said}, fact
        elif name in words.NUMBER_FACTS:
            assert value == re.sub(r"\s", "", text)


@pytest.mark.parametrize("file", LABELS, ids=lambda file: file.stem)
def test_boxes_lie_in_the_picture(file: Path) -> None:
    with Image.open(file.with_suffix(".png")) as picture:
        width, height = picture.size
    for fact in load(file)["facts"]:
        x0, y0, x1, y1 = fact["box"]
        assert 0 <= x0 < x1 <= width + 1, fact
        assert 0 <= y0 < y1 <= height + 1, fact


def test_every_picture_has_its_label() -> None:
    pictures = {file.with_suffix("") for file in HERE.glob("*/*.png")}
    assert pictures == {file.with_suffix("") for file in LABELS}


@pytest.mark.parametrize("split", ["dev", "held_out", "fresh", "unseen"])
def test_every_kind_of_page_is_there(split: str) -> None:
    assert {load(file)["page"] for file in LABELS if file.parent.name == split} == set(words.PAGES)


def test_perfect_reader_scores_full() -> None:
    readings = [load(file) | {"file": file.name} for file in LABELS if file.parent.name == "dev"]
    result = score(HERE / "dev", readings)
    assert (result.total.precision, result.total.recall) == (1.0, 1.0)
    assert result.pages == result.pictures == len(readings)
    assert result.groups_kept == result.groups > 0


def test_misses_and_inventions_are_told_apart(tmp_path: Path) -> None:
    label = {
        "page": "receipt",
        "language": "en",
        "flags": [],
        "facts": [
            {"name": "amount", "value": "24.00", "unit": "USD", "text": "$24.00"},
            {"name": "merchant", "value": "Tidewater Labs, Inc.", "text": "Tidewater Labs, Inc."},
            {"name": "person", "value": "Dana Whitlock", "text": "Dana Whitlock"},
            {"name": "plan", "value": "Pro", "text": "Pro", "optional": True},
        ],
    }
    (tmp_path / "a.json").write_text(json.dumps(label))
    facts = [
        {"name": "amount", "value": "24.00", "unit": "EUR"},
        {"name": "merchant", "value": "Tidewater Labs,Inc."},
        {"name": "person", "value": "D***k"},
    ]
    result = score(
        tmp_path, [{"file": "x/a.png", "page": "receipt", "language": "en", "flags": [], "facts": facts}]
    )
    assert result.misses == ["a: amount = 24.00 USD"]
    assert result.inventions == ["a: amount = 24.00 EUR"]
    assert result.facts["merchant"].found == result.facts["person"].found == 1
    assert result.facts["plan"].missed == 0


def test_picture_without_a_reading_is_unread(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(
        json.dumps({"page": "other", "language": None, "flags": [], "facts": []})
    )
    assert score(tmp_path, []).unread == ["a"]


@pytest.mark.parametrize("way", sorted(WAYS))
def test_spoiled_copy_keeps_picture_and_label_together(way: str, tmp_path: Path) -> None:
    source = tmp_path / "from"
    source.mkdir()
    for suffix in (".png", ".json"):
        (source / f"a{suffix}").write_bytes((HERE / "dev" / f"wallet-bill-renewal{suffix}").read_bytes())
    degrade(source, way, tmp_path / "to")
    label = load(tmp_path / "to" / "a.json")
    picture = next(file for file in (tmp_path / "to").iterdir() if file.suffix != ".json")
    with Image.open(picture) as image:
        assert all(fact["box"][2] <= image.width + 1 for fact in label["facts"])
    assert label["page"] == "charge_notice"
