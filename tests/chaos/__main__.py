"""``python -m tests.chaos crashes|faults --database sqlite|postgresql --count N --seed S --seconds N``."""

import asyncio
import math
import random
import sys

import click

from tests.chaos.crashes import crash
from tests.chaos.faults import fault
from tests.chaos.report import crash_report, fault_report
from tests.chaos.stage import DATABASES


@click.command()
@click.argument("campaign", type=click.Choice(["crashes", "faults"]))
@click.option("--database", type=click.Choice(DATABASES), default="sqlite", show_default=True)
@click.option("--count", type=click.IntRange(1), default=10_000, show_default=True)
@click.option("--seed", type=int, help="The same seed plans the same run.")
@click.option("--seconds", type=float, default=math.inf, help="Ends after so long, whatever the count.")
def main(campaign: str, database: str, count: int, seed: int | None, seconds: float) -> None:
    """Runs a campaign, and prints what came of it as Markdown. Exit status 1 where anything was violated."""
    seed = random.SystemRandom().randrange(2**31) if seed is None else seed
    print(f"{campaign} on {database}, seed {seed}", file=sys.stderr, flush=True)
    if campaign == "crashes":
        crashed = asyncio.run(crash(database, count, seed, seconds))
        outcome, report = crashed.outcome, crash_report(crashed, database, seed)
    else:
        faulted = asyncio.run(fault(database, count, seed, seconds))
        outcome, report = faulted.outcome, fault_report(faulted, database, seed)
    print(report)
    sys.exit(bool(outcome.violations))


if __name__ == "__main__":
    main()
