"""How long things may take: every lease, interval and patience of the delivery, on one page."""

from dataclasses import dataclass
from datetime import timedelta


def _seconds(*numbers: float) -> tuple[timedelta, ...]:
    return tuple(timedelta(seconds=number) for number in numbers)


@dataclass(frozen=True, slots=True)
class Pace:
    """A lease is how long a process that died keeps others from its work: a living one renews or ends it.

    The defaults hold together: a send gives up before its lease runs out, and a lost wake-up is made good
    by the sweeper within a second.
    """

    turn_lease: timedelta = timedelta(seconds=15)
    effect_lease: timedelta = timedelta(seconds=15)
    reply_lease: timedelta = timedelta(seconds=15)

    show_within: timedelta = timedelta(seconds=0.4)
    """A turn that takes longer shows that the bot is thinking."""

    hold_within: timedelta = timedelta(seconds=4)
    """A customer who is not answered by then hears that it takes a moment."""

    hold_after: timedelta = timedelta(seconds=1)
    """What a turn has at least before that is said, however old its messages are."""

    burst_poll: timedelta = timedelta(seconds=1)
    """Between two looks for the rest of a burst of which no news has come."""

    look_up_within: timedelta = timedelta(seconds=3)
    """An order system that has not shown its records by then has failed."""

    down_after: int = 3
    """So many failures in a row, so that one customer's bad luck is not everybody's: then it is known to be down."""

    look_up_again: tuple[timedelta, timedelta] = (timedelta(seconds=5), timedelta(seconds=30))
    """A turn without records is tried again after as long as it has been waiting, within these bounds."""

    look_up_for: timedelta = timedelta(minutes=15)
    """Who has waited that long for the order system gets a person."""

    act_within: timedelta = timedelta(seconds=3)
    """How long the customer waits for the order system before hearing that it takes a moment."""

    act_again: tuple[timedelta, ...] = _seconds(1, 2, 5, 15, 30, *[60] * 15)
    """When the order system is asked again, with the same key; after the last a person takes it up."""

    send_within: timedelta = timedelta(seconds=10)
    """A platform that has not answered by then is tried again, before the lease runs out."""

    send_again: tuple[timedelta, ...] = _seconds(1, 5, 30, 120, 600, 1800, 3600)
    """When a reply that a platform did not take is sent again, with the same key."""

    sweep: timedelta = timedelta(seconds=0.5)
    """Between two looks for what a lost hint or a dead worker left."""

    clean: timedelta = timedelta(minutes=10)
    """Between two looks for pictures whose time is over."""

    redis_pause: timedelta = timedelta(seconds=0.3)
    """For which a Redis that failed is left alone: a hung server must not delay every step of a turn."""

    grace: timedelta = timedelta(seconds=10)
    """What is under way when the process is told to stop has this long to finish."""
