"""How long customers waited for what a fault held up: told, not judged."""

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tests.chaos.visitors import Visitor


@dataclass(frozen=True, slots=True)
class _Waiting:
    visitor: Visitor
    asked: float | None
    since: float


class Recovery:
    """Follows the customers who wait for an answer at a moment, until they have it."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[_Waiting]] = defaultdict(list)
        self._took: dict[str, list[float]] = defaultdict(list)

    @property
    def took(self) -> Mapping[str, Sequence[float]]:
        """Seconds, by what they are counted from."""
        return self._took

    def begin(self, what: str, visitors: Iterable[Visitor]) -> None:
        now = time.monotonic()
        self._waiting[what] += [_Waiting(v, v.asked, now) for v in visitors if v.asked]

    def look(self) -> None:
        now = time.monotonic()
        for what, waiting in self._waiting.items():
            over = [each for each in waiting if each.visitor.asked != each.asked]
            self._took[what] += [now - each.since for each in over]
            self._waiting[what] = [each for each in waiting if each not in over]
