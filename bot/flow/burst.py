"""A burst of messages is one turn, without making everyone wait."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from bot.domain.message import Entry

LONE_PICTURE = timedelta(seconds=1.5)
"""A picture without a word waits this long for its question."""

POINTED_AT = timedelta(seconds=3.5)
"""A text that points at a picture waits this long for it: so that it is answered within five seconds."""

UPLOAD = timedelta(seconds=20)
"""An upload in progress is waited for, but not for ever."""

NONE = timedelta(0)

_POINTS = re.compile(
    r"[看见見如](?:一下|下|这|這)?[个個张張]?(?:截?[图圖]|照片)|截[图圖](?:如下|在)|发[你图张个]|[这這][张張]|[上下附][图圖]|"
    r"\b(?:see|look at|here'?s|sending)\b.{0,20}\b(?:pic|picture|photo|image|screen ?shot)\b|\battached\b",
    re.I,
)


def patience(
    messages: Sequence[Entry],
    *,
    uploading: bool,
    recent_picture: bool,
    now: datetime,
    waited: timedelta = NONE,
) -> timedelta:
    """How much longer to wait for the rest of a burst; nothing for a plain text.

    ``waited``: for how long the last message has been there, by a clock that does not jump.
    """
    waits = _waits(messages, uploading, recent_picture)
    return max(NONE, waits - max(now - messages[-1].at, waited)) if waits else NONE


def _waits(messages: Sequence[Entry], uploading: bool, recent_picture: bool) -> timedelta:
    if not messages:
        return NONE
    if uploading:
        return UPLOAD
    text = " ".join(m.text for m in messages).strip()
    pictures = any(m.attachments for m in messages)
    if pictures and not text:
        return LONE_PICTURE
    if not pictures and not recent_picture and _POINTS.search(text):
        return POINTED_AT
    return NONE
