"""The command line. Each command loads what it needs when it runs, so that ``--help`` is at once."""

import json
import os
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import click

OK, BAD_INPUT, WRONG_USAGE = 0, 1, 2

REPLACED = "replace"
"""How text that is not UTF-8 is shown in an error."""


class Out:
    """What a command prints: one JSON object a line, or lines for people; and whether all went well."""

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json
        self.failed = False

    def answer(self, data: dict[str, Any], *lines: str) -> None:
        if self.as_json:
            click.echo(json.dumps(data, ensure_ascii=False))
        else:
            for line in lines:
                click.echo(line)

    def error(self, about: dict[str, str], code: str, message: str) -> None:
        self.failed = True
        if self.as_json:
            click.echo(json.dumps({**about, "error": {"code": code, "message": message}}, ensure_ascii=False))
        else:
            click.echo(f"{next(iter(about.values()), 'shotdesk')}: {message}", err=True)

    def exit(self) -> None:
        sys.exit(BAD_INPUT if self.failed else OK)


JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="shotdesk", message="shotdesk %(version)s")
def main() -> None:
    """Shotdesk (识图客服): a customer-service bot that understands screenshots."""
    _check_names()


@main.command()
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535))
@click.option("--quiet", is_flag=True, help="Do not play the conversation, only start.")
def demo(port: int, quiet: bool) -> None:
    """Start everything embedded, with a demo shop, and play a conversation with it."""
    from bot.demo import run_demo

    _run(lambda: run_demo(port, play=not quiet))


@main.command()
@click.option("--role", default="all", show_default=True, type=click.Choice(["all", "web", "worker"]))
def serve(role: str) -> None:
    """Run the bot for production, configured by SHOTDESK_* variables."""
    from bot.serve import run_server

    _run(lambda: run_server(role), level="INFO")


@main.command()
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...")
@click.option("--reveal", is_flag=True, help="Show personal data instead of masking it.")
@JSON
def read(images: tuple[str, ...], reveal: bool, as_json: bool) -> None:
    """Read screenshots and print what they say."""
    from bot.commands.read import read_images

    _run(lambda: read_images(images, reveal, Out(as_json)))


@main.command()
@click.argument("texts", nargs=-1, metavar="[TEXT...]")
@click.option("--last-bot", help="What the bot said last.")
@JSON
def classify(texts: tuple[str, ...], last_bot: str | None, as_json: bool) -> None:
    """Print the intent of each text; without TEXT, of each line of standard input."""
    from bot.commands.classify import classify_texts

    _run(lambda: classify_texts(_given(texts) if texts else _lines(), last_bot, Out(as_json)))


@main.command()
@click.argument("text")
@click.option("--image", "images", multiple=True, metavar="FILE", help="A screenshot; may be given again.")
@click.option("--customer", metavar="ID", help="The customer, taken as verified.")
@click.option("--session", metavar="ID", help="Go on with this conversation.")
@click.option("--channel", default="web", show_default=True)
@JSON
def ask(
    text: str, images: tuple[str, ...], customer: str | None, session: str | None, channel: str, as_json: bool
) -> None:
    """Take one turn through the whole bot."""
    from bot.commands.ask import ask_bot

    _run(lambda: ask_bot(text, images, customer, session, channel, Out(as_json)))


@main.group()
def orders() -> None:
    """The SQL order store."""


@orders.command("import")
@click.argument("file")
@JSON
def import_file(file: str, as_json: bool) -> None:
    """Load an order file."""
    from bot.commands.orders import import_orders

    _run(lambda: import_orders(file, Out(as_json)))


@orders.command()
@click.argument("number")
@click.option("--json", "_", is_flag=True, hidden=True)
def show(number: str, _: bool) -> None:
    """Print one record as JSON."""
    from bot.commands.orders import show_record

    _run(lambda: show_record(number, Out(as_json=True)))


@main.group()
def bench() -> None:
    """The project's benchmarks, on databases and a Redis of their own.

    PostgreSQL is the server of SHOTDESK_DATABASE_URL, in a database made for the while, or a throw-away one
    where the extra 'test' is installed. Redis is that of SHOTDESK_REDIS_URL, which nothing else should use.
    """


DATABASE = click.option(
    "--database",
    "databases",
    multiple=True,
    type=click.Choice(["sqlite", "postgresql"]),
    help="Only on this one; may be given again.",
)


@bench.command()
@DATABASE
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1))
@click.option("--turns", default=600, show_default=True, type=click.IntRange(32), help="Of each measurement.")
@JSON
def turns(databases: tuple[str, ...], rounds: int, turns: int, as_json: bool) -> None:
    """Text turns: latency, rate, processor time and memory, beside a bare socket with one Redis pipeline."""
    from bot.commands.bench import bench_turns

    _run(lambda: bench_turns(databases, rounds, turns, Out(as_json)))


@bench.command()
@click.option("--sockets", default=10_000, show_default=True, type=click.IntRange(1))
@click.option("--turns", default=200, show_default=True, type=click.IntRange(1), help="Of each measurement.")
@click.option("--seconds", default=10.0, show_default=True, type=click.FloatRange(0.1), help="Spent idling.")
@JSON
def sockets(sockets: int, turns: int, seconds: float, as_json: bool) -> None:
    """Idle sockets: their memory, and how long a message takes meanwhile."""
    from bot.commands.bench import bench_sockets

    _run(lambda: bench_sockets(sockets, turns, seconds, Out(as_json)))


@bench.command()
@DATABASE
@click.option("--conversations", default=1_000_000, show_default=True, type=click.IntRange(1000))
@click.option("--turns", default=200, show_default=True, type=click.IntRange(8), help="Of each measurement.")
@JSON
def growth(databases: tuple[str, ...], conversations: int, turns: int, as_json: bool) -> None:
    """Turns with 1,000 and with very many stored conversations, and in a long session."""
    from bot.commands.bench import bench_growth

    _run(lambda: bench_growth(databases, conversations, turns, Out(as_json)))


@main.command()
@JSON
def migrate(as_json: bool) -> None:
    """Bring the databases up to date."""
    from bot.commands.migrate import migrate_databases

    _run(lambda: migrate_databases(Out(as_json)))


def _run(command: Callable[[], Awaitable[None]], level: str = "WARNING") -> None:
    """Runs a command; settings that do not fit, and parts that are away, end it with a sentence, not a trace."""
    import asyncio

    from bot import telemetry
    from bot.domain.errors import ShotdeskError

    def loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
        from uvloop import new_event_loop

        return new_event_loop

    async def body() -> None:
        await command()

    try:
        telemetry.configure(os.environ.get("SHOTDESK_LOG_LEVEL") or level)
    except ValueError as error:
        click.echo(f"shotdesk: SHOTDESK_LOG_LEVEL: {error}", err=True)
        sys.exit(BAD_INPUT)
    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(body())
    except ShotdeskError as error:
        click.echo(f"shotdesk: {error.message}", err=True)
        sys.exit(BAD_INPUT)
    except KeyboardInterrupt:
        sys.exit(130)


def _given(texts: tuple[str, ...]) -> Iterator[tuple[str, bool]]:
    """Each text, and whether it was valid UTF-8: the shell hands bytes over as lone surrogates."""
    for text in texts:
        shown = text.encode("utf-8", "surrogateescape").decode("utf-8", REPLACED)
        yield shown, shown == text


def _lines() -> Iterator[tuple[str, bool]]:
    for line in sys.stdin.buffer:
        raw = line.rstrip(b"\r\n")
        try:
            yield raw.decode("utf-8"), True
        except UnicodeDecodeError:
            yield raw.decode("utf-8", REPLACED), False


def _check_names() -> None:
    """``bot``, ``adapters`` and ``intents`` are plain names: another distribution may have taken one."""
    from importlib.util import find_spec

    home = Path(__file__).parent.parent
    for name in ("adapters", "intents"):
        spec = find_spec(name)
        places = [Path(place) for place in (spec.submodule_search_locations or ())] if spec else []
        if home / name not in places:
            where = f"; found {places[0]}" if places else ""
            raise click.ClickException(
                f"another package has taken the name {name!r}{where}. Shotdesk is an application: "
                "install it into a virtual environment of its own."
            )
