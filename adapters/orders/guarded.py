"""The order system behind a deadline: one that hangs is down, and one that is down is not waited for."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

import structlog

from bot.domain.errors import Unavailable
from bot.domain.message import Address
from bot.domain.pace import Pace
from bot.domain.ports import OrderSystem, Performed
from bot.domain.records import Records
from bot.domain.session import Action
from bot.domain.vocabulary import ActionId, CustomerId

log = structlog.get_logger()

T = TypeVar("T")


class Circuit:
    """Lets everybody through; while the system is down, one at a time, and the others need not wait.

    It is down after ``limit`` failures in a row. There is no time in it: whoever comes next, once the one
    before has failed, tries the system anew.
    """

    def __init__(self, name: str, within: timedelta, limit: int, back: Callable[[], Awaitable[None]]) -> None:
        self._name, self._within, self._limit, self._back = name, within.total_seconds(), limit, back
        self._failures = 0
        self._is_tried = False

    async def call(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Raises Unavailable, for a system that does not answer in time too."""
        if self._failures < self._limit:
            return await self._ask(ask)
        if self._is_tried:
            raise Unavailable("The order system does not answer now.")
        self._is_tried = True
        try:
            return await self._ask(ask)
        finally:
            self._is_tried = False

    async def _ask(self, ask: Callable[[], Awaitable[T]]) -> T:
        try:
            async with asyncio.timeout(self._within):
                answer = await ask()
        except TimeoutError as error:
            self._fail()
            raise Unavailable("The order system does not answer in time.") from error
        except (Unavailable, asyncio.CancelledError):  # the latter: of who would wait no longer
            self._fail()
            raise
        await self._succeed()
        return answer

    def _fail(self) -> None:
        self._failures += 1
        if self._failures == self._limit:
            log.warning("orders.down", asked_for=self._name)

    async def _succeed(self) -> None:
        was_down, self._failures = self._failures >= self._limit, 0
        if was_down:
            log.info("orders.back", asked_for=self._name)
            await self._back()


class GuardedOrders:
    """An ``OrderSystem`` that nobody waits for long. ``resume`` is called when it has come back."""

    def __init__(self, orders: OrderSystem, resume: Callable[[], Awaitable[None]], pace: Pace) -> None:
        self._orders, self._resume = orders, resume
        self._reading = Circuit("records", pace.look_up_within, pace.down_after, self._back)
        self._acting = Circuit("actions", pace.act_within, pace.down_after, self._back)

    async def customer(self, address: Address) -> CustomerId | None:
        return await self._reading.call(lambda: self._orders.customer(address))

    async def records(self, customer: CustomerId | None) -> Records:
        return await self._reading.call(lambda: self._orders.records(customer))

    async def perform(self, customer: CustomerId, action: Action, key: ActionId) -> Performed:
        return await self._acting.call(lambda: self._orders.perform(customer, action, key))

    async def ping(self) -> None:
        await self._orders.ping()

    async def _back(self) -> None:
        try:
            await self._resume()
        except Unavailable as error:  # what was put off comes by itself, a little later
            log.warning("orders.not_resumed", error=error.code)
