"""From pictures and a question to the messages that a chat server takes."""

import base64
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from importlib.resources import files
from io import BytesIO
from string import Template
from typing import Any

import yaml
from PIL import Image

from bot.domain.reading import Picture
from bot.domain.vocabulary import FACTS, INTENTS, PAGES

Message = dict[str, Any]

LONGEST_QUESTION = 1000
# No control token (<|im_start|>), placeholder (<image>) or thought tag survives without its brackets.
HARMLESS = str.maketrans({"<": "‹", ">": "›"})


class Words(Template):
    delimiter = "%"  # the prompt speaks of dollars


@cache
def prompt() -> dict[str, Any]:
    text = files("adapters.readers.prompts").joinpath("read_screenshot.yml").read_text("utf-8")
    loaded: dict[str, Any] = yaml.safe_load(text)
    return loaded


@cache
def system() -> str:
    """The rules, with the words of the vocabulary in the order of the contract."""
    words = prompt()
    lists = {
        "pages": PAGES,
        "facts": FACTS,
        "flags": words["flags"],
        "intents": INTENTS,
    }
    return Words(words["system"]).substitute(
        {kind: "\n".join(f"- {name}: {words[kind][name]}" for name in names) for kind, names in lists.items()}
    )


def harmless(text: str, longest: int = LONGEST_QUESTION) -> str:
    """Somebody else's text, without power over the model's template."""
    kept = (c for c in text[:longest] if c.isprintable() or c == "\n")
    return "".join(kept).translate(HARMLESS).strip()


def messages(urls: Sequence[str], question: str, last_question: str | None, now: datetime) -> list[Message]:
    words = prompt()
    text = Words(words["user"]).substitute(
        now=now.strftime("%Y-%m-%d %H:%M, %A"),
        count=len(urls),
        last_question=harmless(last_question or "") or words["nothing"],
        question=harmless(question) or words["nothing"],
    )
    shown = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    return [
        {"role": "system", "content": system()},
        {"role": "user", "content": [*shown, {"type": "text", "text": text}]},
    ]


def repair(answer: str, problem: str) -> list[Message]:
    """The model's own answer, and what is wrong with it."""
    return [
        {"role": "assistant", "content": harmless(answer, 4000)},
        {"role": "user", "content": Words(prompt()["repair"]).substitute(problem=harmless(problem))},
    ]


def data_url(picture: Picture, max_pixels: int) -> str:
    """The picture as JPEG, at most so many pixels. Takes tens of milliseconds: not for the event loop."""
    with Image.open(BytesIO(picture.data)) as image:
        shown = image.convert("RGB")
    scale = (max_pixels / (shown.width * shown.height)) ** 0.5
    if scale < 1:
        size = (max(1, int(shown.width * scale)), max(1, int(shown.height * scale)))
        shown = shown.resize(size, Image.Resampling.LANCZOS)
    out = BytesIO()
    shown.save(out, "JPEG", quality=90, subsampling="4:4:4")
    return "data:image/jpeg;base64," + base64.b64encode(out.getvalue()).decode()
