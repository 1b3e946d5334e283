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

    files: tuple[tuple[str, bytes], ...]
    """The intent and the content of each."""
    digest: str

    def examples(self) -> list[Example]:
        """Raises ValueError where fewer than two intents have examples: there is nothing to tell apart."""
        examples = [example for intent, content in self.files for example in _parse(content.decode(), intent)]
        if len({example.intent for example in examples}) < 2:
            raise ValueError("examples of at least two intents are needed")
        return examples


def read_examples(root: Traversable) -> ExampleSet:
    """Read ``<intent>/examples.*.txt`` below ``root``; the folders name the intents."""
    digest = hashlib.sha256()
    contents = []
    for intent, file in _files(root):
        content = file.read_bytes()
        digest.update(f"{intent}/{file.name}/{len(content)}\n".encode())
        digest.update(content)
        contents.append((intent, content))
    return ExampleSet(tuple(contents), digest.hexdigest())


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
