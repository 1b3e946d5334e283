"""The example texts that the intent classifier is trained from, and the texts it is measured with."""

import json
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest

from bot.domain.vocabulary import INTENTS

ROOT = Path(__file__).parent.parent
EXAMPLE_FILES = sorted((ROOT / "intents").glob("*/examples.*.txt"))
HELD_OUT_FILES = sorted((ROOT / "tests" / "intents").glob("held_out.*.jsonl"))
FEWEST_EXAMPLES = 40


class Example(NamedTuple):
    text: str
    last_bot: str | None


def examples(path: Path) -> list[Example]:
    """Read one file: a text a line, after the bot's last message and a tab where there is one."""
    found = []
    for line in path.read_bytes().decode("utf-8").splitlines():
        if line and not line.startswith("# "):
            last_bot, _, text = line.rpartition("\t")
            found.append(Example(text, last_bot or None))
    return found


def held_out(path: Path) -> list[tuple[Example, str]]:
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return [(Example(row["text"], row.get("last_bot")), row["intent"]) for row in rows]


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", EXAMPLE_FILES, ids=name)
def test_a_file_holds_enough_clean_examples_of_a_known_intent(path: Path) -> None:
    found = examples(path)
    assert path.parent.name in INTENTS
    assert len(found) >= FEWEST_EXAMPLES
    for text, last_bot in found:
        assert text == text.strip() != ""
        assert "\t" not in (last_bot or "")
        assert "\ufeff" not in text


def test_no_example_occurs_twice() -> None:
    times = Counter(example for path in EXAMPLE_FILES for example in examples(path))
    assert [example for example, count in times.items() if count > 1] == []


@pytest.mark.parametrize("path", HELD_OUT_FILES, ids=name)
def test_held_out_texts_cover_all_intents_and_are_not_among_the_examples(path: Path) -> None:
    known = {example for file in EXAMPLE_FILES for example in examples(file)}
    rows = held_out(path)
    assert {intent for _, intent in rows} == set(INTENTS)
    assert [example for example, _ in rows if example in known] == []
    assert len({example for example, _ in rows}) == len(rows)
