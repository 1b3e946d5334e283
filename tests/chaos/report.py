"""The campaigns' tables, as Markdown."""

from collections import Counter
from collections.abc import Iterable, Sequence

from tests.chaos.campaign import Outcome
from tests.chaos.crashes import Crashed
from tests.chaos.failpoints import POINTS, Blow
from tests.chaos.invariants import KINDS, Violation
from tests.chaos.plan import OUT_OF_REACH, verb_of

SHOWN = 20
"""Violations of each kind that are shown."""


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [f"| {' | '.join(map(str, row))} |" for row in (head, ["---"] * len(head), *rows)]
    return "\n".join(lines)


def crash_report(crashed: Crashed, database: str, seed: int) -> str:
    blows = tuple(Blow)
    counts = table(
        ["failpoint", "hits", *(blow.name.lower() for blow in blows)],
        (
            [point, crashed.hits[point], *(crashed.sprung.get((point, blow), 0) for blow in blows)]
            for point in POINTS
            if verb_of(point) not in OUT_OF_REACH
        ),
    )
    totals = Counter[Blow]()
    for (_, blow), times in crashed.sprung.items():
        totals[blow] += times
    beyond = table(["out of reach", "why"], sorted(OUT_OF_REACH.items()))
    parts = [
        f"### Crashes on {database}, seed {seed}",
        counts,
        ", ".join(f"{totals[blow]} × {blow.name.lower()}" for blow in blows)
        + f": {totals.total()} of {sum(crashed.planned.values())} crashes",
        beyond,
        summary(crashed.outcome),
    ]
    if crashed.never_reached:
        parts.append(f"Never reached: {', '.join(crashed.never_reached)}")
    if crashed.reached_unawares:
        parts.append(f"Reached after all: {', '.join(crashed.reached_unawares)}")
    return "\n\n".join(parts)


def summary(outcome: Outcome) -> str:
    kinds = Counter(violation.kind for violation in outcome.violations)
    figures = [
        ("sessions", outcome.sessions),
        ("messages", outcome.messages),
        ("sent twice", outcome.doubles),
        ("deaths of bots", outcome.deaths),
        ("sessions told that there is trouble", outcome.honest),
        ("seconds", f"{outcome.seconds:.0f}"),
        ("answer after, p50 / p99 / most", quantiles(outcome.waits)),
        *((f"**{kind}**", kinds[kind]) for kind in KINDS),
    ]
    parts = [table(["", ""], figures)]
    if outcome.violations:
        parts.append(_shown(outcome.violations))
    parts.append(table(["the bots' log", "times"], outcome.log.most_common()))
    return "\n\n".join(parts)


def quantiles(seconds: Sequence[float]) -> str:
    if not seconds:
        return "—"
    ordered = sorted(seconds)
    p50, p99 = (ordered[min(len(ordered) - 1, int(len(ordered) * q))] for q in (0.5, 0.99))
    return f"{p50:.2f} s / {p99:.2f} s / {ordered[-1]:.2f} s"


def _shown(violations: Sequence[Violation]) -> str:
    seen: Counter[str] = Counter()
    rows = []
    for violation in violations:
        seen[violation.check] += 1
        if seen[violation.check] <= SHOWN:
            rows.append((violation.kind, violation.check, violation.what))
    return table(["violated", "check", "what"], rows)
