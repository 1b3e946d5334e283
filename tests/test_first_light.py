"""The main job on real pictures: a screenshot of a renewal gets its true answer, in the customer's language."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

import pytest

from bot.app import App, open_app, opened_orders, read_order_file
from bot.domain.message import Address, Attachment, Message
from bot.domain.session import Turn
from bot.domain.vocabulary import CustomerId, SessionId
from bot.settings import Settings

SCENARIO = Path(__file__).parent / "screenshots" / "scenario"
ANSWERED_WITHIN = 60.0

SHOP = {
    "customers": [{"id": "C1"}, {"id": "C2"}],
    "subscriptions": [
        {
            "id": "SUB-1",
            "customer": "C1",
            "plan": "黄金会员连续包月",
            "period": "month",
            "price": "88.00",
            "currency": "CNY",
            "auto_renewal": True,
            "next_charge_at": "2026-04-01",
        }
    ],
    "charges": [
        {
            "charge_no": f"CH-{month}",
            "customer": "C1",
            "subscription": "SUB-1",
            "amount": "88.00",
            "currency": "CNY",
            "charged_at": f"2026-0{month}-01T08:30:00",
        }
        for month in (1, 2, 3)
    ],
}


class Customer:
    """Somebody who talks to the bot."""

    def __init__(self, app: App, id: str, session: str) -> None:
        self._app, self._id, self._session = app, CustomerId(id), SessionId(session)

    async def asks(self, text: str, picture: str | None = None) -> Turn:
        attachments = [await self._upload(picture)] if picture else []
        message = Message(
            address=Address(channel="web", account="default", user=self._session),
            key=self._app.ids(),
            text=text,
            attachments=tuple(attachments),
            at=self._app.clock(),
        )
        accepted = await self._app.inbox.receive(message, self._id, self._session)
        async with asyncio.timeout(ANSWERED_WITHIN):
            while True:
                await self._app.workers.attend(self._session)
                turn = await self._app.store.turn_of(self._session, accepted.seq)
                if turn and turn.reply:
                    return turn

    async def _upload(self, picture: str) -> Attachment:
        kept = await self._app.pictures.check((SCENARIO / picture).read_bytes())
        await self._app.media.keep(kept, "test")
        return Attachment(id=kept.id)


@pytest.fixture(scope="module")
async def app(tmp_path_factory: pytest.TempPathFactory, trained: Path) -> AsyncIterator[App]:
    home = tmp_path_factory.mktemp("home")
    (home / "classifier").symlink_to(trained)
    file = home / "shop.json"
    file.write_text(json.dumps(SHOP), "utf-8")
    settings = Settings(home=home, now=datetime(2026, 3, 2, 12))
    async with open_app(settings, migrated=True) as app:
        yield app


@pytest.fixture
async def records(app: App) -> None:
    """The records as the file has them, whatever a test before has done."""
    async with opened_orders(app.settings) as orders:
        await orders.load(read_order_file(app.settings, app.settings.home / "shop.json"))


@pytest.mark.parametrize("picture", ["scenario-bill.png", "scenario-sms.png"])
@pytest.mark.usefixtures("records")
async def test_a_renewal_is_explained_and_turned_off(app: App, picture: str) -> None:
    customer = Customer(app, "C1", f"zh {picture}")
    turn = await customer.asks("为什么扣我钱？", picture)
    assert turn.intent == "explain_charge"
    assert turn.page == "charge_notice"
    assert turn.reply
    for told in ("88.00", "黄金会员连续包月", "2026年3月1日 08:30", "2026年4月1日"):
        assert told in turn.reply
    assert [(a.name, a.target, a.status) for a in turn.actions] == [
        ("stop_auto_renewal", "SUB-1", "proposed")
    ]
    verdicts = {(e.fact, e.verdict, e.record) for e in turn.evidence}
    assert ("amount", "match", "charge CH-3") in verdicts

    turn = await customer.asks("关了吧")
    assert [a.status for a in turn.actions] == ["done"]
    assert not await renews(app)

    turn = await customer.asks("自动续费关了没？没关的话帮我关掉")
    assert turn.actions == ()
    assert turn.reply
    assert "已经是关闭状态" in turn.reply


@pytest.mark.usefixtures("records")
async def test_the_same_in_english(app: App) -> None:
    customer = Customer(app, "C1", "en")
    turn = await customer.asks("Why was I charged?", "scenario-en.png")
    assert turn.reply
    for told in ("88.00", "Mar 1, 2026 08:30", "Apr 1, 2026", "Shall I turn"):
        assert told in turn.reply
    turn = await customer.asks("yes please, turn it off")
    assert [a.status for a in turn.actions] == ["done"]
    assert not await renews(app)
    turn = await customer.asks("turn off my auto renewal")
    assert turn.reply
    assert "already off" in turn.reply


@pytest.mark.usefixtures("records")
async def test_somebody_elses_screenshot_shows_and_does_nothing(app: App) -> None:
    turn = await Customer(app, "C2", "other").asks("为什么扣我钱？", "scenario-bill.png")
    assert turn.actions == ()
    assert {e.verdict for e in turn.evidence} == {"not_found"}
    assert turn.reply
    assert "2026年4月1日" not in turn.reply
    assert await renews(app)


async def renews(app: App) -> bool:
    records = await app.orders.records(CustomerId("C1"))
    return records.subscriptions[0].auto_renewal
