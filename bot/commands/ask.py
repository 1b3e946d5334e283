"""``shotdesk ask``: one turn through the whole bot, beside a running server or without one."""

import asyncio
from collections.abc import Sequence

import click

from bot.app import App, open_app
from bot.cli import Out
from bot.commands.read import load
from bot.domain.errors import BadText, ShotdeskError, Unavailable
from bot.domain.message import MAX_PICTURES, Accepted, Address, Attachment, Message
from bot.domain.session import Turn
from bot.domain.vocabulary import CustomerId, SessionId
from bot.settings import Settings

ANSWERED_WITHIN = 120.0
"""Seconds until the command gives up waiting; the message is kept and answered all the same."""

LOOKS_AGAIN = 0.05


async def ask_bot(
    text: str, images: Sequence[str], customer: str | None, session: str | None, channel: str, out: Out
) -> None:
    """The turn that answers the text and the pictures together."""
    try:
        async with open_app(Settings.from_env(), migrated=True) as app:
            await _ask(app, text, images, customer, session, channel, out)
    except ShotdeskError as error:
        out.error({"text": text.encode("utf-8", "replace").decode()}, error.code, error.message)
    out.exit()


async def _ask(
    app: App,
    text: str,
    images: Sequence[str],
    customer: str | None,
    session: str | None,
    channel: str,
    out: Out,
) -> None:
    if channel not in app.channels:
        raise click.UsageError(f"there is no channel {channel!r}; known are {', '.join(app.channels)}")
    if len(images) > MAX_PICTURES:
        raise click.UsageError(f"a message holds at most {MAX_PICTURES} pictures")
    if not text.strip() and not images:
        raise BadText("there is nothing to answer: give a text, a picture, or both")
    attachments = await _keep(app, images, out)
    if out.failed:
        return
    name = SessionId(session or app.ids())
    message = Message(
        address=Address(channel=channel, account="default", user=name),
        key=app.ids(),
        text=text,
        attachments=attachments,
        at=app.clock(),
    )
    accepted = await app.inbox.receive(message, CustomerId(customer) if customer else None, name)
    turn = await _answered(app, accepted)
    out.answer(turn.model_dump(mode="json"), *_lines(turn))


async def _keep(app: App, images: Sequence[str], out: Out) -> tuple[Attachment, ...]:
    kept = []
    for image in images:
        try:
            picture = await app.pictures.check(load(image))
        except ShotdeskError as error:
            out.error({"file": image}, error.code, error.message)
            continue
        await app.media.keep(picture, "ask")
        kept.append(Attachment(id=picture.id))
    return tuple(kept)


async def _answered(app: App, accepted: Accepted) -> Turn:
    """Takes the turn itself, or waits for whoever has it: a running server may be quicker."""
    try:
        async with asyncio.timeout(ANSWERED_WITHIN):
            while True:
                await app.workers.attend(accepted.session)
                turn = await app.store.turn_of(accepted.session, accepted.seq)
                if turn and not _on_its_way(turn):
                    return turn
                await asyncio.sleep(LOOKS_AGAIN)
    except TimeoutError:
        raise Unavailable("the answer takes too long; it will be in the session's log") from None


def _on_its_way(turn: Turn) -> bool:
    """Whether the order system is just being asked: the answer comes with its result, or with its silence."""
    return turn.reply is None and any(action.status == "pending" for action in turn.actions)


def _lines(turn: Turn) -> list[str]:
    lines = [turn.reply] if turn.reply else []
    if turn.quick_replies:
        lines.append("  " + "  ".join(f"[{label}]" for label in turn.quick_replies))
    return lines
