"""A circuit breaker: whoever has failed several times in a row is left alone for a while."""

import time
from collections.abc import Callable


class Breaker:
    """Closed until ``limit`` failures in a row; then it admits one try in every ``rest`` seconds."""

    def __init__(self, limit: int = 3, rest: float = 30.0, now: Callable[[], float] = time.monotonic) -> None:
        self._limit, self._rest, self._now = limit, rest, now
        self._failures = 0
        self._again_at = 0.0

    def admits(self) -> bool:
        if self._failures < self._limit:
            return True
        if self._now() < self._again_at:
            return False
        self._again_at = self._now() + self._rest
        return True

    def succeeded(self) -> None:
        self._failures = 0

    def failed(self) -> None:
        self._failures += 1
        self._again_at = self._now() + self._rest
