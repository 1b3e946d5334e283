"""Renders the designs into labelled screenshots: ``python -m tests.screenshots.generate [NAME...]``.

A design is an HTML page with a YAML head in its first comment:

    page, language        what the label says (contract, section 3)
    also                  other kinds that the page may fairly be called
    shots                 name -> {width, height, scale, lang, theme, also, flags, data}
    data                  values for the {{name}} places of the page; a shot's own win

A fact is marked where it stands: ``<b f="amount:CNY">-88.00</b>``, ``<i f="charged_at=2026-03-01T08:30">``.
Without ``=value`` the value comes from the text, so a label cannot drift from its picture; values after ``|``
are as good. Several marks of one element are parted by ``;``. ``?`` in front: a fact that a good reader may
give or leave out. Facts within one ``g`` element (a row or card of a list) share a group.
"""

import argparse
import io
import json
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml
from PIL import Image

from tests.screenshots.chromium import Tab, browser

HERE = Path(__file__).parent
DESIGNS = HERE / "designs"
SPLITS = ("dev", "held_out", "fresh", "unseen", "scenario")

MONEY = {"amount", "refund_amount", "item_price", "discount"}
NUMBERS = {"order_no", "transaction_no", "tracking_no", "card_number", "phone", "id_number"}

COLLECT = """
(() => {
  const groups = [...document.querySelectorAll("[g]")];
  return [...document.querySelectorAll("[f]")].flatMap(element => {
    const range = document.createRange();
    range.selectNodeContents(element);
    let box = range.getBoundingClientRect();
    if (!element.textContent.trim()) box = element.getBoundingClientRect();
    if (!box.width || box.top >= innerHeight || box.bottom > innerHeight + 1) return [];
    const group = element.closest("[g]");
    return [{
      marks: element.getAttribute("f"), text: element.innerText.trim(),
      box: [box.left, box.top, box.right, box.bottom], group: group ? groups.indexOf(group) : null,
    }];
  });
})()
"""


@dataclass(frozen=True)
class Shot:
    """One picture to take of one design."""

    name: str
    html: str
    page: str
    also: list[str]
    language: str | None
    flags: list[str]
    width: int
    height: int
    whole: bool
    scale: float


def shots(split: str) -> Iterator[Shot]:
    """All shots of a split, by name."""
    for file in sorted((DESIGNS / split).glob("*.html")):
        head, body = file.read_text("utf-8").removeprefix("<!--\n").split("-->\n", 1)
        design = yaml.safe_load(head)
        for name, shot in design["shots"].items():
            yield _shot(name, design | shot, body, design.get("data", {}) | shot.get("data", {}))


def _shot(name: str, spec: dict[str, Any], body: str, data: dict[str, Any]) -> Shot:
    fragment = body
    for _ in range(2):  # a value may hold places of its own
        fragment = re.sub(r"\{\{(\w+)\}\}", lambda place: str(data[place[1]]), fragment)
    parts = DESIGNS / "parts"
    lang = spec.get("lang", spec["language"] or "zh")
    html = (
        f'<!doctype html><html lang="{lang}" class="{spec.get("theme", "")}">'
        f'<meta charset="utf-8"><style>{(parts / "parts.css").read_text()}</style>'
        f"<script>{(parts / 'parts.js').read_text()}</script>{fragment}</html>"
    )
    return Shot(
        name=name,
        html=html,
        page=spec["page"],
        also=spec.get("also", []),
        language=spec["language"],
        flags=spec.get("flags", []),
        width=spec.get("width", 375),
        height=spec.get("height", spec.get("min_height", 812)),
        whole="height" not in spec,
        scale=spec.get("scale", 2),
    )


def take(tab: Tab, shot: Shot, folder: Path) -> None:
    """Renders a shot and writes its picture and label."""
    tab.resize(shot.width, shot.height, shot.scale)
    with tempfile.NamedTemporaryFile("w", suffix=".html", encoding="utf-8") as file:
        file.write(shot.html)
        file.flush()
        tab.open(f"file://{file.name}")
    tab.evaluate("document.fonts.ready.then(() => null)")
    if shot.whole:
        content = int(tab.evaluate("document.documentElement.scrollHeight"))
        tab.resize(shot.width, max(shot.height, content), shot.scale)
    marked = tab.evaluate(COLLECT)
    picture = Image.open(io.BytesIO(tab.screenshot())).convert("RGB")
    small = picture.quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    small.save(folder / f"{shot.name}.png", optimize=True)
    facts = [fact for element in marked for fact in _facts(element, shot.scale)]
    _number_groups(facts)
    label: dict[str, Any] = {
        "page": shot.page,
        "language": shot.language,
        "facts": facts,
        "flags": shot.flags,
    }
    if shot.also:
        label["also"] = shot.also
    (folder / f"{shot.name}.json").write_text(json.dumps(label, ensure_ascii=False, indent=1) + "\n", "utf-8")


def _facts(element: dict[str, Any], scale: float) -> Iterator[dict[str, Any]]:
    text = re.sub(r"\s+", " ", element["text"])
    for mark in re.split(r"\s*;\s*", element["marks"]):
        head, _, said = mark.removeprefix("?").partition("=")
        name, _, unit = head.partition(":")
        value, *others = said.split("|") if said else [_value(name, text)]
        fact = {"name": name, "value": value} | ({"or": others} if others else {})
        if name in MONEY:
            fact["unit"] = unit or None
        fact |= {"text": text, "box": [round(edge * scale) for edge in element["box"]]}
        if element["group"] is not None:
            fact["group"] = element["group"]
        if mark.startswith("?"):
            fact["optional"] = True
        yield fact


def _value(name: str, text: str) -> str:
    if name in MONEY:
        return f"{Decimal(re.sub(r'[^0-9.]', '', text).strip('.')):.2f}"
    if name in NUMBERS:
        return re.sub(r"\s", "", text)
    if name.endswith("_at") or name.endswith("_status") or name == "auto_renewal":
        raise ValueError(f"{name} needs a value: {text}")
    return text


def _number_groups(facts: list[dict[str, Any]]) -> None:
    order: dict[int, int] = {}
    for fact in facts:
        if "group" in fact:
            fact["group"] = order.setdefault(fact["group"], len(order))


def main() -> None:
    """Renders the splits, or single shots, into this folder."""
    parser = argparse.ArgumentParser(description="Renders the designs into labelled screenshots.")
    parser.add_argument("names", nargs="*", help="only these shots")
    parser.add_argument("--to", type=Path, default=HERE, help="folder that gets a folder per split")
    args = parser.parse_args()
    with browser() as tab:
        for split in SPLITS:
            folder = args.to / split
            folder.mkdir(parents=True, exist_ok=True)
            for shot in shots(split):
                if not args.names or shot.name in args.names:
                    take(tab, shot, folder)
                    print(f"{split}/{shot.name}")


if __name__ == "__main__":
    main()
