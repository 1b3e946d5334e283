"""The deterministic campaign's plan: each failpoint, each blow, at its first, second, ... hit."""

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
    "media.masked": "the console's, which has no door yet",
    "store.turn_of": "the command line's: 'shotdesk ask' shows the turn that it has taken",
    "orders.customer": "the webhooks', which have no door yet: a widget's page vouches for its customer",
}
"""Verbs that no bot calls whom customers can reach, and why."""

MOST_HITS = 5
"""The blow falls at the first to the fifth hit."""


@dataclass(frozen=True, slots=True)
class Trap:
    point: str
    blow: Blow
    nth: int


def verb_of(point: str) -> str:
    return point.partition(":")[0]


def planned(count: int, seed: int, points: Iterable[str] = POINTS) -> deque[Trap]:
    """So many traps, as evenly as it goes, in an order that the seed shuffles."""
    pairs = [(point, blow) for point in points if verb_of(point) not in OUT_OF_REACH for blow in Blow]
    Random(seed).shuffle(pairs)
    times: Counter[tuple[str, Blow]] = Counter()
    traps: deque[Trap] = deque()
    while len(traps) < count:
        point, blow = pairs[len(traps) % len(pairs)]
        times[point, blow] += 1
        traps.append(Trap(point, blow, 1 + (times[point, blow] - 1) % MOST_HITS))
    return traps
