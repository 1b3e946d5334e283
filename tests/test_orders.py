"""The SQL order store over SQLite and over PostgreSQL."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text

from adapters.database import Database
from adapters.orders.file import parse
from adapters.orders.sql import SqlOrders
from adapters.orders.tables import VERSION_TABLE, metadata
from bot.domain.errors import BadOrderFile, NotFound
from bot.domain.vocabulary import ActionId
from tests import servers
from tests.contracts.orders import ANN, BEN, DONE, NOW, SHOP, ZONE, OrdersContract, refund


async def load(orders: SqlOrders, file: dict[str, Any]) -> None:
    await orders.load(parse(json.dumps(file).encode(), ZONE))


async def upgrade(url: str) -> None:
    orders = SqlOrders(url, ZONE, lambda: NOW)
    await orders.migrate()
    await orders.close()


def differences(connection: Connection) -> object:
    options = {"compare_type": True, "version_table": VERSION_TABLE}
    return compare_metadata(MigrationContext.configure(connection, opts=options), metadata)


class SqlContract(OrdersContract):
    """What holds of SQL only. ``url`` is an empty database."""

    @pytest.fixture
    async def orders(self, url: str) -> AsyncIterator[SqlOrders]:
        orders = SqlOrders(url, ZONE, lambda: NOW)
        await load(orders, SHOP)
        yield orders
        await orders.close()

    async def test_migrations_lead_to_the_tables(self, url: str) -> None:
        database = Database(url)
        assert await database.read(differences) == []
        await database.close()

    async def test_loading_again_changes_nothing(self, orders: SqlOrders) -> None:
        before = await orders.records(ANN)
        await load(orders, SHOP)
        assert await orders.records(ANN) == before

    async def test_a_known_number_is_replaced(self, orders: SqlOrders) -> None:
        await load(orders, {"orders": [SHOP["orders"][0] | {"total": "1.00", "items": [], "address": None}]})
        shown = await orders.show("O-unpaid")
        assert (shown["total"], shown["items"], shown["address"]) == ("1.00", [], None)

    async def test_identities_are_replaced_whole(self, orders: SqlOrders) -> None:
        await load(orders, {"customers": [{"id": ANN, "identities": {"web": "ann-2"}}]})
        assert (await orders.show(ANN))["identities"] == {"web": "ann-2"}

    async def test_identities_may_change_hands_within_a_file(self, orders: SqlOrders) -> None:
        swapped = [{"id": ANN, "identities": {"web": "x"}}, {"id": BEN, "identities": {"web": "ann-1"}}]
        await load(orders, {"customers": swapped})
        assert (await orders.show(BEN))["identities"] == {"web": "ann-1"}

    @pytest.mark.parametrize(
        ("file", "message"),
        [
            (
                {"orders": [SHOP["orders"][0] | {"customer": "C9"}]},
                "orders[0].customer: there is no customer C9",
            ),
            (
                {"charges": [SHOP["charges"][0] | {"order_no": "O-9"}]},
                "charges[0].order_no: there is no order O-9",
            ),
            (
                {"charges": [SHOP["charges"][1] | {"subscription": "S-9"}]},
                "charges[0].subscription: there is no subscription S-9",
            ),
            (
                {"charges": [SHOP["charges"][0] | {"order_no": "O-ben"}]},
                "charges[0].order_no: order O-ben belongs to another customer",
            ),
            (
                {"refunds": [SHOP["refunds"][0] | {"charge_no": "CH-9"}]},
                "refunds[0].charge_no: there is no charge CH-9",
            ),
            (
                {"invoices": [SHOP["invoices"][0] | {"order_no": "O-9"}]},
                "invoices[0].order_no: there is no order O-9",
            ),
            (
                {"customers": [{"id": "C-NEW", "identities": {"web": "ann-1"}}]},
                "customers[0].identities.web: ann-1 is already customer C-ANN",
            ),
            (
                {"orders": [SHOP["orders"][1] | {"customer": BEN}]},
                "a record goes to another customer while records of the first one still refer to it",
            ),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    async def test_a_dangling_reference_loads_nothing(
        self, orders: SqlOrders, file: dict[str, Any], message: str
    ) -> None:
        before = await orders.records(ANN), await orders.records(BEN)
        new = {"coupon_no": "CP-new", "customer": ANN, **{k: SHOP["coupons"][0][k] for k in COUPON}}
        with pytest.raises(BadOrderFile) as caught:
            await load(orders, {"coupons": [new]} | file)
        assert caught.value.message == message
        assert (await orders.records(ANN), await orders.records(BEN)) == before

    async def test_many_records_at_once(self, orders: SqlOrders) -> None:
        many = [SHOP["orders"][0] | {"order_no": f"M-{n}"} for n in range(2500)]
        charges = [SHOP["charges"][0] | {"charge_no": f"MC-{n}", "order_no": f"M-{n}"} for n in range(2500)]
        await load(orders, {"orders": many, "charges": charges})
        assert len((await orders.records(ANN)).charges) == 2502

    @pytest.mark.parametrize(
        ("section", "number"),
        [
            ("customers", ANN),
            ("orders", "O-paid"),
            ("subscriptions", "S-apple"),
            ("charges", "CH-ben"),
            ("refunds", "RF-old"),
            ("invoices", "INV-1"),
            ("coupons", "CP-ben"),
        ],
    )
    async def test_a_record_is_shown_as_it_was_written(
        self, orders: SqlOrders, section: str, number: str
    ) -> None:
        written = next(r for r in SHOP[section] if number in r.values())
        shown = await orders.show(number)
        assert {key: value for key, value in shown.items() if value is not None and key != "shipment"} == {
            key: value for key, value in written.items() if value is not None
        }

    @pytest.mark.parametrize("number", ["", "O-none", "o-paid", "%", "O-\0", "\ud800"])
    async def test_no_such_number(self, orders: SqlOrders, number: str) -> None:
        with pytest.raises(NotFound):
            await orders.show(number)

    async def test_a_parcel_is_found_and_knows_when_it_arrived(self, orders: SqlOrders) -> None:
        events = [
            {"at": "2026-02-22T10:00:00", "text": "【上海市】已签收，签收人：前台"},
            {"at": "2026-02-21T10:00:00", "text": "快件尚未签收，派送中"},
            {"at": "2026-02-23T10:00:00", "text": "感谢使用"},
        ]
        shipment = {"carrier": "顺丰", "tracking_no": "SF1", "status": "delivered", "events": events}
        await load(orders, {"orders": [SHOP["orders"][4] | {"shipment": shipment}]})
        shown = await orders.show("SF1")
        assert (shown["order_no"], shown["shipment"]["delivered_at"]) == ("O-delivered", None)
        order = (await orders.records(ANN)).order("O-delivered")
        assert order is not None
        assert order.shipment is not None
        assert order.shipment.delivered_at == NOW.replace(day=22, month=2, hour=10)

    async def test_it_answers(self, orders: SqlOrders) -> None:
        await orders.ping()


COUPON = ("title", "discount", "min_spend", "currency", "status")


@pytest.fixture(scope="module")
async def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("migrated") / "orders.db"
    await upgrade(f"sqlite:///{file}")
    return file


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with servers.postgres() as url:
        yield url


class TestSqlite(SqlContract):
    @pytest.fixture
    def url(self, migrated: Path, tmp_path: Path) -> str:
        return f"sqlite:///{shutil.copy(migrated, tmp_path)}"


@pytest.mark.full
class TestPostgresql(SqlContract):
    @pytest.fixture
    async def url(self, server: str) -> str:
        await upgrade(server)
        database = Database(server)
        await database.write(lambda tx: tx.execute(text(f"TRUNCATE {', '.join(metadata.tables)}")))
        await database.close()
        return server


async def test_an_old_database_is_told_from_a_new_one(tmp_path: Path) -> None:
    orders = SqlOrders(f"sqlite:///{tmp_path}/new/orders.db", ZONE, lambda: NOW)
    assert not await orders.is_current()
    await asyncio.gather(*(orders.migrate() for _ in range(3)))
    assert await orders.is_current()
    await orders.close()


async def test_a_key_is_remembered_over_a_restart(migrated: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{shutil.copy(migrated, tmp_path)}"
    for now in (NOW, NOW + timedelta(days=1)):
        orders = SqlOrders(url, ZONE, partial(datetime.fromtimestamp, now.timestamp(), ZONE))
        if now == NOW:
            await load(orders, SHOP)
        assert await orders.perform(ANN, refund("30.00"), ActionId("k1")) == DONE
        requested = [r.requested_at for r in (await orders.records(ANN)).refunds if r.status == "requested"]
        await orders.close()
        assert requested == [NOW]
