"""Scores a reader: the lines of ``shotdesk read --json`` beside the labels of a folder.

    shotdesk read --reveal --json dev/*.png | python score.py dev

A fact counts as found when name, value and unit agree; of several facts that say the same within one group,
one is enough. Names of things (merchant, product, ...) may differ by spacing, width, case and a slip of
the OCR (``--exact`` forbids the slip). Personal data may be masked.

What a label adds to the contract: ``optional`` marks a fact that counts neither as missed nor as invented,
``or`` lists values that are as good, ``also`` other kinds that the page may fairly be called. Where a label has
no unit, the picture prints no currency, and any unit is accepted.
"""

import argparse
import difflib
import json
import re
import sys
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Fact = dict[str, Any]

TEXT_FACTS = {"merchant", "product", "plan", "payment_method", "carrier", "error_message", "error_code"}
PERSONAL_FACTS = {"phone", "person", "address", "id_number", "card_number"}
NUMBER_FACTS = {"order_no", "transaction_no", "tracking_no"}
SLIP = 0.9
"""Two names are the same when this much of their letters agree."""


@dataclass
class Tally:
    """Counts of one fact name."""

    found: int = 0
    missed: int = 0
    invented: int = 0

    @property
    def precision(self) -> float:
        return self.found / (self.found + self.invented) if self.found + self.invented else 1.0

    @property
    def recall(self) -> float:
        return self.found / (self.found + self.missed) if self.found + self.missed else 1.0

    @property
    def f1(self) -> float:
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


@dataclass
class Score:
    """What a reader got right over a folder."""

    pictures: int = 0
    pages: int = 0
    languages: int = 0
    flags: int = 0
    groups: int = 0
    groups_kept: int = 0
    facts: dict[str, Tally] = field(default_factory=lambda: defaultdict(Tally))
    misses: list[str] = field(default_factory=list)
    inventions: list[str] = field(default_factory=list)
    wrong_pages: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)

    @property
    def total(self) -> Tally:
        """All facts together."""
        tallies = self.facts.values()
        return Tally(
            sum(t.found for t in tallies), sum(t.missed for t in tallies), sum(t.invented for t in tallies)
        )

    def add(
        self, name: str, label: Mapping[str, Any], reading: Mapping[str, Any], exact: bool = False
    ) -> None:
        """Counts one picture."""
        self.pictures += 1
        if "facts" not in reading:
            self.unread.append(name)
        if reading.get("page") in (label["page"], *label.get("also", ())):
            self.pages += 1
        elif name not in self.unread:
            self.wrong_pages.append(f"{name}: {label['page']} read as {reading.get('page')}")
        self.languages += reading.get("language") == label["language"]
        self.flags += set(reading.get("flags", ())) == set(label["flags"])
        wanted, given = _distinct(label["facts"]), _distinct(reading.get("facts", ()))
        pairs = _pair(wanted, given, exact)
        for index, fact in enumerate(wanted):
            if fact.get("optional"):
                continue
            if index in pairs:
                self.facts[fact["name"]].found += 1
            else:
                self.facts[fact["name"]].missed += 1
                if name not in self.unread:
                    self.misses.append(f"{name}: {_show(fact)}")
        for index, fact in enumerate(given):
            if index not in pairs.values() and not _stands(fact, wanted, exact):
                self.facts[fact["name"]].invented += 1
                self.inventions.append(f"{name}: {_show(fact)}")
        self._add_groups(wanted, given, pairs)

    def _add_groups(self, wanted: list[Fact], given: list[Fact], pairs: dict[int, int]) -> None:
        rows: dict[int, set[int | None]] = defaultdict(set)
        for mine, theirs in pairs.items():
            if (group := wanted[mine].get("group")) is not None:
                rows[group].add(given[theirs].get("group"))
        used = Counter(group for groups in rows.values() for group in groups)
        self.groups += len(rows)
        self.groups_kept += sum(
            len(groups) == 1 and None not in groups and all(used[g] == 1 for g in groups)
            for groups in rows.values()
        )

    def report(self, details: bool = True) -> str:
        """The figures as text, with the misses and inventions."""
        lines = [
            f"pictures {self.pictures}  page {_part(self.pages, self.pictures)}  "
            f"language {_part(self.languages, self.pictures)}  flags {_part(self.flags, self.pictures)}  "
            f"groups {_part(self.groups_kept, self.groups)}",
            f"{'fact':16} {'found':>6} {'missed':>6} {'invented':>8} {'prec.':>6} {'recall':>6} {'F1':>6}",
        ]
        for name, tally in [*sorted(self.facts.items()), ("ALL", self.total)]:
            lines.append(
                f"{name:16} {tally.found:6} {tally.missed:6} {tally.invented:8} "
                f"{tally.precision:6.3f} {tally.recall:6.3f} {tally.f1:6.3f}"
            )
        if details:
            for title in ("unread", "wrong_pages", "misses", "inventions"):
                entries = getattr(self, title)
                lines += [
                    f"\n{title.replace('_', ' ')} ({len(entries)})",
                    *(f"  {entry}" for entry in entries),
                ]
        return "\n".join(lines)


def score(folder: Path, readings: Iterable[Mapping[str, Any]], exact: bool = False) -> Score:
    """Scores readings against the labels in ``folder``; a labelled picture without a reading is unread."""
    by_name = {Path(reading["file"]).stem: reading for reading in readings}
    result = Score()
    for file in sorted(folder.glob("*.json")):
        result.add(file.stem, json.loads(file.read_text("utf-8")), by_name.get(file.stem, {}), exact)
    return result


def _distinct(facts: Iterable[Fact]) -> list[Fact]:
    seen: dict[tuple[Any, ...], Fact] = {}
    for fact in facts:
        key = (fact["name"], fact["value"], fact.get("unit"), fact.get("group"))
        if key not in seen or seen[key].get("optional"):
            seen[key] = fact
    return list(seen.values())


def _pair(wanted: list[Fact], given: list[Fact], exact: bool) -> dict[int, int]:
    """Which wanted fact is which given one: required facts first, the likest value first."""
    pairs: dict[int, int] = {}
    for index in sorted(range(len(wanted)), key=lambda i: bool(wanted[i].get("optional"))):
        free = [
            i for i in range(len(given)) if i not in pairs.values() and _same(wanted[index], given[i], exact)
        ]
        if free:
            pairs[index] = max(free, key=lambda i: (_near(wanted[index], given[i]), -i))
    return pairs


def _near(label: Fact, fact: Fact) -> tuple[bool, float]:
    """How well a fact that says the same lies where the label's does: tells equal rows apart."""
    alike = difflib.SequenceMatcher(None, label["value"], fact["value"]).ratio()
    if not (label.get("box") and fact.get("box")):
        return False, alike
    overlap = min(label["box"][3], fact["box"][3]) - max(label["box"][1], fact["box"][1])
    return overlap > 0, alike


def _same(label: Fact, fact: Fact, exact: bool) -> bool:
    return any(
        _says(label | {"value": value}, fact, exact) for value in [label["value"], *label.get("or", ())]
    )


def _stands(fact: Fact, wanted: list[Fact], exact: bool) -> bool:
    """Whether a fact that is left over is true all the same: said before, or the card of a payment method."""
    if any(_same(label, fact, exact) for label in wanted):
        return True
    digits = re.sub(r"\D", "", fact["value"])
    cards = [label["value"] for label in wanted if label["name"] == "payment_method"]
    return fact["name"] == "card_number" and bool(digits) and any(digits in card for card in cards)


def _says(label: Fact, fact: Fact, exact: bool) -> bool:
    name, ours, theirs = label["name"], label["value"], fact["value"]
    if name != fact["name"]:
        return False
    if "unit" in label:
        return bool(ours == theirs) and label["unit"] in (None, fact.get("unit"))
    if name in PERSONAL_FACTS:
        return _masked(ours, theirs) or _alike(ours, theirs, exact)
    if name in TEXT_FACTS:
        return _alike(ours, theirs, exact)
    if name in NUMBER_FACTS:
        return _number(ours) == _number(theirs)
    return bool(ours == theirs)


def _masked(ours: str, theirs: str) -> bool:
    """Whether ``theirs`` is ``ours`` with a part starred out."""
    if not re.search(r"[*•●×]", theirs):
        return False
    parts = [re.escape(_fold(part)) for part in re.split(r"[*•●×]+", theirs)]
    return re.fullmatch(".*".join(parts), _fold(ours)) is not None


def _alike(ours: str, theirs: str, exact: bool) -> bool:
    a, b = _fold(ours), _fold(theirs)
    return a == b or (not exact and difflib.SequenceMatcher(None, a, b).ratio() >= SLIP)


def _fold(text: str) -> str:
    return re.sub(r"[\s\-–—·.,，。:：*•●…]", "", unicodedata.normalize("NFKC", text)).casefold()


def _number(text: str) -> str:
    return re.sub(r"\s", "", unicodedata.normalize("NFKC", text)).lstrip("#")


def _show(fact: Fact) -> str:
    unit = f" {fact['unit']}" if fact.get("unit") else ""
    return f"{fact['name']} = {fact['value']}{unit}"


def _part(count: int, of: int) -> str:
    return f"{count}/{of}"


def main() -> None:
    """Reads JSON lines from standard input and prints the score."""
    parser = argparse.ArgumentParser(description="Scores the lines of a reader against a folder of labels.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--exact", action="store_true", help="names of things must agree to the letter")
    parser.add_argument("--brief", action="store_true", help="figures only")
    args = parser.parse_args()
    readings = [json.loads(line) for line in sys.stdin if line.strip()]
    print(score(args.folder, readings, args.exact).report(not args.brief))


if __name__ == "__main__":
    main()
