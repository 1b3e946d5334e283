"""The delivery code, broken on purpose: each mutant must be caught by the test that is named for it.

``mutants.yml`` says what is changed where, and which test notices. ``python -m tests.test_mutants`` prints
the table.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
CAUGHT = 1
"""pytest's exit status where a test has failed."""

PATIENCE = 300.0
"""Seconds; a mutant that makes its test hang is not caught by it."""


@dataclass(frozen=True)
class Mutant:
    """``old`` stands once in ``file`` and becomes ``new``; ``test``: what pytest is told to run."""

    name: str
    file: str
    old: str
    new: str
    test: list[str]


MUTANTS = [Mutant(**spelt) for spelt in yaml.safe_load(Path(__file__).with_name("mutants.yml").read_text())]


@pytest.mark.full
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_it_is_caught(mutant: Mutant) -> None:
    with mutated(mutant) as tree:
        run = outcome(mutant, tree)
    assert run.returncode == CAUGHT, f"{run.stdout}\n{run.stderr}"


@contextmanager
def mutated(mutant: Mutant) -> Iterator[Path]:
    """A copy of the project with the mutant in it."""
    folder = Path(tempfile.mkdtemp(prefix="shotdesk-mutant-"))
    try:
        for part in ("bot", "adapters", "intents", "tests", "pyproject.toml"):
            copy(ROOT / part, folder / part)
        file = folder / mutant.file
        text = file.read_text()
        assert text.count(mutant.old) == 1, (
            f"{mutant.name}: {mutant.file} has it {text.count(mutant.old)} times"
        )
        file.unlink()  # it may be a link to the original
        file.write_text(text.replace(mutant.old, mutant.new))
        yield folder
    finally:
        shutil.rmtree(folder)


def copy(part: Path, to: Path) -> None:
    """Linked where the file system can, which takes no time."""
    if part.is_file():
        link(str(part), str(to))
    else:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(part, to, copy_function=link, ignore=ignored)


def link(file: str, to: str) -> None:
    try:
        os.link(file, to)
    except OSError:
        shutil.copy2(file, to)


def outcome(mutant: Mutant, tree: Path) -> subprocess.CompletedProcess[str]:
    """The classifier is the one that the other tests have trained: no mutant touches it."""
    pytest = (
        sys.executable,
        "-m",
        "pytest",
        "-x",
        "-q",
        "-p",
        "no:xdist",
        "-o",
        f"cache_dir={ROOT / '.pytest_cache'}",
    )
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("SHOTDESK_", "PYTEST_"))
    }
    return subprocess.run(
        [*pytest, *mutant.test],
        check=False,
        cwd=tree,
        env=kept | {"PYTHONPATH": str(tree)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


def main() -> None:
    print("| mutant | caught by |\n|---|---|")
    for mutant in MUTANTS:
        with mutated(mutant) as tree:
            caught = outcome(mutant, tree).returncode == CAUGHT
        print(f"| {mutant.name} | {' '.join(mutant.test) if caught else '**nothing**'} |", flush=True)


if __name__ == "__main__":
    main()
