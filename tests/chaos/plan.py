"""The deterministic campaign's plan: each failpoint, each blow, at its first, second, ... hit."""

import itertools
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from random import Random

from tests.chaos.failpoints import POINTS, Blow

OUT_OF_REACH: Mapping[str, str] = {
    "store.take_over": "the console's, which has no door yet",
    "store.say": "the console's, which has no door yet",
    "store.hand_back": "the console's, which has no door yet",
    "store.close": "the console's, which has no door yet",
    "store.log": "the tests': a door looks through 'view'",
    "store.customer_of": "the tests': a door looks through 'view'",
    "media.masked": "the console's, which has no door yet",
    "store.open": "the command line's: at the doors a session is opened by its first message",
    "store.turn_of": "the command line's: 'shotdesk ask' shows the turn that it has taken",
    "orders.customer": "the webhooks', which have no door yet: a widget's page vouches for its customer",
}
"""Verbs that no bot calls whom customers can reach, and why."""

MOST_HITS = 5
"""The blow falls at the first to the fifth hit."""

ROUND = (Blow.KILL, Blow.PAUSE, Blow.KILL, Blow.ERROR, Blow.KILL, Blow.SLOW, Blow.KILL, Blow.ERROR)
"""The blows that fall at each failpoint, one after the other. A pause holds up all who share its SQLite."""


@dataclass(frozen=True, slots=True)
class Trap:
    point: str
    blow: Blow
    nth: int


def verb_of(point: str) -> str:
    return point.partition(":")[0]


def planned(count: int, seed: int, points: Iterable[str] = POINTS) -> deque[Trap]:
    """So many traps, as evenly as it goes, in an order that the seed shuffles."""
    random = Random(seed)
    reached = [point for point in points if verb_of(point) not in OUT_OF_REACH]
    times: Counter[tuple[str, Blow]] = Counter()
    traps: deque[Trap] = deque()
    for turn in itertools.count():
        random.shuffle(reached)
        for nth, point in enumerate(reached):
            if len(traps) == count:
                return traps
            blow = ROUND[(turn + nth) % len(ROUND)]
            times[point, blow] += 1
            traps.append(Trap(point, blow, 1 + (times[point, blow] - 1) % MOST_HITS))
    raise AssertionError("there is no end to counting")
