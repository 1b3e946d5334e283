"""``shotdesk bench``: the project's benchmarks, as a table or one JSON object a line."""

from collections.abc import AsyncIterator

from bot.bench.figures import Line, table
from bot.bench.setups import Ground
from bot.cli import Out
from bot.serve import ended_by_sigterm
from bot.settings import Settings

FLOOR = 5
"""Turns of the floor for each of the bot: it is that much quicker, and more."""


async def bench_turns(databases: tuple[str, ...], rounds: int, turns: int, out: Out) -> None:
    from bot.bench.turns import Size, bench_turns

    await _show(bench_turns(Ground(Settings.from_env(), databases), Size(rounds, turns, FLOOR * turns)), out)


async def bench_sockets(sockets: int, turns: int, seconds: float, out: Out) -> None:
    from bot.bench.sockets import Size, bench_sockets

    await _show(bench_sockets(Ground(Settings.from_env()), Size(sockets, turns, seconds)), out)


async def bench_growth(databases: tuple[str, ...], conversations: int, turns: int, out: Out) -> None:
    from bot.bench.growth import Size, bench_growth

    await _show(bench_growth(Ground(Settings.from_env(), databases), Size(conversations, turns)), out)


async def _show(lines: AsyncIterator[Line], out: Out) -> None:
    """JSON as it comes; the table at the end, however it comes. Told to stop, it removes what it has made."""
    shown: list[Line] = []
    try:
        with ended_by_sigterm():
            async for line in lines:
                out.answer(line.as_json())
                shown.append(line)
    finally:
        if shown and not out.as_json:
            out.answer({}, *table(shown))
