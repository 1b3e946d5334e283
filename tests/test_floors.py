"""Three floors, and no arrow runs up: held by the imports that stand in the code itself."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OURS = ("bot", "adapters", "intents")
HEAVY = ("torch", "onnxruntime", "cv2", "sqlalchemy", "redis", "sklearn", "scipy", "numpy", "fastapi", "PIL")
TOOLS = {"wording", "privacy", "language"}
"""What several steps use: putting into words, masking, and the customer's language."""
ALLOWED = {
    "conversation": {
        "burst",
        "decision",
        "evidence",
        "holding",
        "inbox",
        "perception",
        "understanding",
        *TOOLS,
    },
    "decision": {"actions", *TOOLS},
}
"""The page that joins the steps, and the step whose outcomes become actions."""


def modules(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def imports(file: Path) -> Iterator[str]:
    """Every module that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: a relative import"
            yield node.module or ""


def ours(file: Path) -> set[str]:
    return {name for name in imports(file) if name.split(".")[0] in OURS}


def name(file: Path) -> str:
    return str(file.relative_to(ROOT))


@pytest.mark.parametrize("file", modules("bot/domain"), ids=name)
def test_the_domain_rests_on_nothing(file: Path) -> None:
    for module in imports(file):
        top = module.split(".")[0]
        assert module.startswith("bot.domain") or top == "pydantic" or top in sys.stdlib_module_names, module


@pytest.mark.parametrize("file", modules("bot/flow"), ids=name)
def test_a_step_knows_the_domain_and_no_other_step(file: Path) -> None:
    allowed = ALLOWED.get(file.stem, TOOLS)
    for module in ours(file):
        step = module.removeprefix("bot.flow.")
        assert module.startswith("bot.domain") or step in allowed, module


@pytest.mark.parametrize("file", modules("intents"), ids=name)
def test_an_intent_knows_the_domain_alone(file: Path) -> None:
    for module in ours(file):
        beside = module.startswith(f"intents.{file.parent.name}.")
        assert module.startswith("bot.domain") or beside, module


@pytest.mark.parametrize("file", modules("adapters"), ids=name)
def test_an_adapter_knows_the_domain_and_its_own_room(file: Path) -> None:
    for module in ours(file):
        assert module.startswith(("bot.domain", "adapters")), module


def test_only_the_app_joins_the_rooms() -> None:
    for file in modules("bot"):
        if file.parent.name in ("domain", "flow"):
            continue
        rooms = {module for module in ours(file) if module.startswith(("adapters", "intents"))}
        assert not rooms or file.name == "app.py", f"{name(file)}: {rooms}"


def test_channels_are_named_in_their_own_file_alone() -> None:
    """What differs between platforms stands in the adapter: nothing asks which channel it is."""
    channels = {file.stem for file in (ROOT / "adapters/channels").glob("*.py")} - {"__init__"}
    for file in [
        *modules("bot/domain"),
        *modules("bot/flow"),
        *modules("intents"),
        *modules("adapters/channels"),
    ]:
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and node.value in channels - {file.stem}:
                pytest.fail(f"{name(file)}:{node.lineno}: {node.value!r}")


def test_the_world_is_changed_in_one_place() -> None:
    """``perform`` of the order system is called by actions.py alone."""
    for file in [*modules("bot/flow"), *modules("intents"), *modules("bot/doors")]:
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr == "perform":
                assert file.stem == "actions", f"{name(file)}:{node.lineno}"


def test_the_command_line_starts_light() -> None:
    code = f"import sys, bot.cli; print([m for m in {HEAVY!r} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_the_readers_load_nothing_before_a_picture_comes() -> None:
    code = """
import asyncio, sys
from bot.app import open_readers
from bot.settings import Settings

async def opened():
    async with open_readers(Settings(), Settings().clock()):
        print([name for name in ("cv2", "onnxruntime") if name in sys.modules])

asyncio.run(opened())
"""
    out = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
