"""What is in the wheel: all that the bot needs at run time, and nothing of the tests."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from bot.domain.vocabulary import INTENTS

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.full


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    folder = tmp_path_factory.mktemp("wheel")
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--wheel-dir",
        str(folder),
        str(ROOT),
    ]
    subprocess.run(command, check=True, timeout=300)
    (wheel,) = folder.glob("shotdesk-*.whl")
    return set(zipfile.ZipFile(wheel).namelist())


def test_every_intent_brings_its_examples(names: set[str]) -> None:
    wanted = {f"intents/{intent}/examples.{language}.txt" for intent in INTENTS for language in ("zh", "en")}
    assert wanted <= names


def test_replies_prompts_word_lists_migrations_and_the_demo_are_in(names: set[str]) -> None:
    assert "intents/replies.yml" in names
    assert "intents/explain_charge/replies.yml" in names
    assert any(name.startswith("adapters/readers/prompts/") for name in names)
    assert any(name.startswith("adapters/readers/ocr/") and name.endswith(".yml") for name in names)
    assert any(name.startswith("adapters/storage/migrations/versions/") for name in names)
    assert any(name.startswith("adapters/orders/migrations/versions/") for name in names)
    assert "adapters/orders/demo/shop.yml" in names


def test_all_data_files_of_the_packages_are_in(names: set[str]) -> None:
    data = {
        str(path.relative_to(ROOT))
        for package in ("bot", "adapters", "intents")
        for path in (ROOT / package).rglob("*")
        if path.suffix in (".yml", ".txt", ".json", ".mako", ".j2", ".npz")
    }
    assert data <= names


def test_tests_are_not_in(names: set[str]) -> None:
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"bot", "adapters", "intents"}
