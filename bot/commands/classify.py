"""``shotdesk classify``: the intent of each text."""

import time
from collections.abc import Iterable

from bot.app import load_classifier
from bot.cli import Out
from bot.domain.errors import BadText, ShotdeskError
from bot.flow.inbox import check_text
from bot.settings import Settings


async def classify_texts(texts: Iterable[tuple[str, bool]], last_bot: str | None, out: Out) -> None:
    """``texts``: each with whether it was valid UTF-8."""
    classifier = load_classifier(Settings.from_env())
    for text, valid in texts:
        try:
            if not valid:
                raise BadText
            check_text(text)
        except ShotdeskError as error:
            out.error({"text": text}, error.code, error.message)
            continue
        began = time.perf_counter()
        match = classifier.classify(text, last_bot)
        ms = round((time.perf_counter() - began) * 1000, 3)
        out.answer(
            {
                "text": text,
                "intent": match.intent,
                "confidence": round(match.confidence, 4),
                "alternatives": [
                    {"intent": a.intent, "confidence": round(a.confidence, 4)} for a in match.alternatives
                ],
                "ms": ms,
            },
            f"{match.intent}  {match.confidence:.0%}  {text}",
        )
    out.exit()
