"""A socket that breaks, at each frame of a short talk. ``tests/chaos/cuts.py`` has ten thousand of them."""

import pytest

from tests.customer import Customer, Cut
from tests.doors.bot import Bot

CUTS = [
    *(Cut("sent", frame, when) for frame in (1, 2, 3) for when in ("before", "after")),
    *(Cut("received", frame, when) for frame in range(1, 9) for when in ("before", "after")),
]


@pytest.mark.parametrize("cut", CUTS, ids=lambda cut: f"{cut.when}-{cut.way}-{cut.frame}")
async def test_a_cut_is_not_seen(bot: Bot, cut: Cut) -> None:
    async with (
        Customer(bot.address, cuts=[cut]) as customer,
        Customer(bot.address, session=customer.session) as other,
    ):
        for question in ("你好", "在吗"):
            answer = await customer.ask(question)
        assert answer.seq == 4
        await other.sees(4)
        lines = [*customer.screen.lines.values()]
        assert [line.seq for line in lines] == [1, 2, 3, 4]
        assert [line.text for line in lines if not line.is_answer] == ["你好", "在吗"]
        assert lines == [*other.screen.lines.values()]
        assert not customer.faults + other.faults


async def test_a_message_said_again_in_impatience_is_one(bot: Bot) -> None:
    async with Customer(bot.address, accepted_within=0.0001) as customer:
        for number in range(3):
            await customer.ask(f"你好 {number}")
        assert customer.resent
        assert [*customer.screen.lines] == [1, 2, 3, 4, 5, 6]
        assert not customer.faults
