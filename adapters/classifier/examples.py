"""The example files of the intents: one text a line, what the bot said last before a tab."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources.abc import Traversable


@dataclass(frozen=True, slots=True)
class Example:
    text: str
    intent: str
    last_bot: str | None = None


@dataclass(frozen=True, slots=True)
class ExampleSet:
    """All examples, in a fixed order. ``digest`` changes with any byte of any file."""

    examples: tuple[Example, ...]
    digest: str


def read_examples(root: Traversable) -> ExampleSet:
    """Read ``<intent>/examples.*.txt`` below ``root``; the folders name the intents.

    Raises ValueError where fewer than two intents have examples: there is nothing to tell apart.
    """
    digest = hashlib.sha256()
    examples: list[Example] = []
    for intent, file in _files(root):
        content = file.read_bytes()
        digest.update(f"{intent}/{file.name}/{len(content)}\n".encode())
        digest.update(content)
        examples.extend(_parse(content.decode(), intent))
    if len({example.intent for example in examples}) < 2:
        raise ValueError("examples of at least two intents are needed")
    return ExampleSet(tuple(examples), digest.hexdigest())


def _files(root: Traversable) -> Iterator[tuple[str, Traversable]]:
    for folder in sorted(root.iterdir(), key=lambda entry: entry.name):
        if folder.is_dir():
            for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
                if file.name.startswith("examples.") and file.name.endswith(".txt"):
                    yield folder.name, file


def _parse(content: str, intent: str) -> Iterator[Example]:
    for line in content.splitlines():
        if line.strip() and not line.startswith("# "):
            before, tab, after = line.partition("\t")
            yield Example(after.strip(), intent, before.strip()) if tab else Example(line.strip(), intent)
