"""``python -m tests.chaos crashes|faults --database sqlite|postgresql --count N --seed S --seconds N``."""

import asyncio
import random
import sys

import click

from tests.chaos.crashes import crash
from tests.chaos.report import crash_report
from tests.chaos.stage import DATABASES


@click.command()
@click.argument("campaign", type=click.Choice(["crashes", "faults"]))
@click.option("--database", type=click.Choice(DATABASES), default="sqlite", show_default=True)
@click.option("--count", type=click.IntRange(1), default=10_000, show_default=True)
@click.option("--seed", type=int, help="The same seed plans the same run.")
@click.option("--seconds", type=float, help="About how long it takes; by default, 0.15 s each.")
def main(campaign: str, database: str, count: int, seed: int | None, seconds: float | None) -> None:
    """Runs a campaign, and prints what came of it as Markdown. Exit status 1 where anything was violated."""
    seed = random.SystemRandom().randrange(2**31) if seed is None else seed
    print(f"{campaign} on {database}, seed {seed}", file=sys.stderr, flush=True)
    crashed = asyncio.run(crash(database, count, seed, seconds or count * 0.15))
    print(crash_report(crashed, database, seed))
    sys.exit(bool(crashed.outcome.violations))


if __name__ == "__main__":
    main()
