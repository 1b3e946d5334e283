"""What must hold when all is over: in SQL, and at the customer's end. A check returns what violates it."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Row

from bot.domain.errors import Unavailable
from tests.chaos.shop import DONE, ORDERS, PROPOSED, name_of, order_of, subscription_of
from tests.chaos.stage import Stage
from tests.chaos.visitors import Account, is_honest

Kind = Literal["lost", "doubled", "out of order", "effects", "stuck"]
KINDS: tuple[Kind, ...] = ("lost", "doubled", "out of order", "effects", "stuck")


@dataclass(frozen=True, slots=True)
class Violation:
    kind: Kind
    check: str
    what: str


@dataclass(frozen=True, slots=True)
class SqlCheck:
    """``finds`` selects what violates it."""

    kind: Kind
    name: str
    finds: str


STUCK = (
    SqlCheck(
        "stuck",
        "unanswered message",
        "SELECT id, asked_seq, done_seq FROM sessions WHERE asked_seq <> done_seq",
    ),
    SqlCheck("stuck", "reply not sent", "SELECT session, seq FROM messages WHERE delivery = 'queued'"),
    SqlCheck("stuck", "effect not settled", "SELECT id, session FROM effects WHERE status <> 'settled'"),
)
"""What is empty as soon as everything has drained."""

SQL_CHECKS = (
    *STUCK,
    SqlCheck(
        "lost",
        "message without a turn",
        "SELECT session, seq FROM messages WHERE sender = 'customer' AND turn IS NULL",
    ),
    SqlCheck(
        "lost",
        "turn without its row",
        "SELECT m.session, m.seq FROM messages m LEFT JOIN turns t ON t.session = m.session AND t.turn = m.turn"
        " WHERE m.turn IS NOT NULL AND t.turn IS NULL",
    ),
    SqlCheck(
        "lost",
        "turn without a word",
        "SELECT t.session, t.turn FROM turns t LEFT JOIN messages m"
        " ON m.session = t.session AND m.turn = t.turn AND m.sender = 'bot' WHERE m.seq IS NULL",
    ),
    SqlCheck(
        "lost",
        "reply given up",
        "SELECT session, seq, delivery FROM messages WHERE sender = 'bot' AND delivery <> 'sent'"
        " AND delivery <> 'queued'",
    ),
    SqlCheck(
        "lost",
        "gap in a log",
        "SELECT s.id, s.last_seq, count(m.seq) FROM sessions s LEFT JOIN messages m ON m.session = s.id"
        " GROUP BY s.id, s.last_seq HAVING count(m.seq) <> s.last_seq OR max(m.seq) <> s.last_seq",
    ),
    SqlCheck(
        "lost",
        "gap in the turns",
        "SELECT s.id, s.turns, count(t.turn) FROM sessions s LEFT JOIN turns t ON t.session = s.id"
        " GROUP BY s.id, s.turns HAVING count(t.turn) <> s.turns OR max(t.turn) <> s.turns",
    ),
    SqlCheck(
        "doubled",
        "message kept twice",
        "SELECT session, key FROM messages WHERE sender = 'customer' GROUP BY session, key HAVING count(*) > 1",
    ),
    SqlCheck(
        "doubled",
        "turn with two replies",
        "SELECT session, turn FROM messages WHERE sender = 'bot' AND key IS NULL"
        " GROUP BY session, turn HAVING count(*) > 1",
    ),
    SqlCheck(
        "doubled",
        "words said twice in a turn",
        "SELECT session, turn, text FROM messages WHERE sender = 'bot' AND turn IS NOT NULL"
        " GROUP BY session, turn, text HAVING count(*) > 1",
    ),
    SqlCheck(
        "out of order",
        "messages answered out of order",
        "SELECT a.session, a.seq, b.seq FROM messages a JOIN messages b ON a.session = b.session AND a.seq < b.seq"
        " WHERE a.sender = 'customer' AND b.sender = 'customer' AND a.turn > b.turn",
    ),
    SqlCheck(
        "out of order",
        "reply before its message",
        "SELECT a.session, a.seq, b.seq FROM messages a JOIN messages b ON a.session = b.session AND a.turn = b.turn"
        " WHERE a.sender = 'customer' AND b.sender = 'bot' AND a.seq > b.seq",
    ),
    SqlCheck(
        "out of order",
        "replies out of order",
        "SELECT a.session, a.seq, b.seq FROM messages a JOIN messages b ON a.session = b.session AND a.seq < b.seq"
        " WHERE a.sender = 'bot' AND b.sender = 'bot' AND a.turn > b.turn AND a.key IS NULL AND b.key IS NULL",
    ),
    SqlCheck(
        "effects",
        "effect without its turn",
        "SELECT e.id FROM effects e LEFT JOIN turns t ON t.session = e.session AND t.turn = e.turn"
        " WHERE t.turn IS NULL",
    ),
    SqlCheck(
        "effects",
        "effect not confirmed once in the audit",
        "SELECT e.id FROM effects e LEFT JOIN audit a ON a.session = e.session AND a.event = 'confirmed'"
        " AND a.detail LIKE '%' || e.id || '%' GROUP BY e.id HAVING count(a.id) <> 1",
    ),
    SqlCheck(
        "effects",
        "effect not settled once in the audit",
        "SELECT e.id FROM effects e LEFT JOIN audit a ON a.session = e.session AND a.event = 'performed'"
        " AND a.detail LIKE '%' || e.id || '%' AND a.detail LIKE '%\"again\":false%'"
        " WHERE e.status = 'settled' GROUP BY e.id HAVING count(a.id) <> 1",
    ),
    SqlCheck(
        "stuck",
        "key of an original whose turn is over",
        "SELECT k.id FROM picture_keys k JOIN messages m ON m.turn IS NOT NULL"
        " AND m.attachments LIKE '%' || k.id || '%'",
    ),
)

EFFECTS = "SELECT id, session, status, body, result FROM effects"
PERFORMED = "SELECT key, customer, target, status FROM performed"
RENEWALS = "SELECT id, auto_renewal FROM subscriptions"
LOG = (
    "SELECT session, seq, sender, key, text, turn FROM messages WHERE delivery IS NULL OR delivery <> 'void'"
)


async def drained(stage: Stage, within: float) -> bool:
    """Waits until nothing is under way any more; whether it came to that."""
    with suppress(TimeoutError):
        async with asyncio.timeout(within):
            while await _under_way(stage):  # noqa: ASYNC110  # a state, not an event
                await asyncio.sleep(0.1)
            return True
    return False


async def _under_way(stage: Stage) -> bool:
    for check in STUCK:
        try:
            if await stage.rows(check.finds + " LIMIT 1"):
                return True
        except Unavailable:  # the last fault may not be over
            return True
    return False


async def violations(stage: Stage, accounts: Sequence[Account]) -> list[Violation]:
    found = [
        Violation(check.kind, check.name, str(tuple(row)))
        for check in SQL_CHECKS
        for row in await stage.rows(check.finds)
    ]
    found += _effects(
        await stage.rows(EFFECTS),
        await stage.rows(PERFORMED, of_orders=True),
        await stage.rows(RENEWALS, of_orders=True),
        accounts,
    )
    logs: dict[str, list[Row[Any]]] = defaultdict(list)
    for row in await stage.rows(LOG + " ORDER BY session, seq"):
        logs[row.session].append(row)
    for account in accounts:
        found += _at_the_customers_end(account, logs[account.session])
    return found


def _effects(
    effects: Sequence[Row[Any]],
    performed: Sequence[Row[Any]],
    renewals: Sequence[Row[Any]],
    accounts: Sequence[Account],
) -> Iterator[Violation]:
    """Each confirmed action is performed once, under the key of its one effect."""
    keys = Counter(row.key for row in performed)
    for effect in effects:
        if keys.pop(effect.id, 0) != 1:
            yield Violation("effects", "effect not performed", str((effect.id, effect.status)))
    for key in keys:
        yield Violation("effects", "performed what nobody confirmed", key)
    for target, times in Counter(row.target for row in performed).items():
        if times > 1:
            yield Violation("effects", "performed twice", f"{target}: {times}")
    done = {row.target for row in performed if row.status == "done"}
    for row in renewals:
        if bool(row.auto_renewal) == (row.id in done):
            yield Violation("effects", "record and effect differ", row.id)
    for account in accounts:
        confirmed = any(said.step and said.step.answer == DONE for said in account.said)
        if not confirmed and subscription_of(account.customer) in done:
            yield Violation("effects", "performed before it was confirmed", name_of(account.customer))


def _at_the_customers_end(account: Account, log: Sequence[Row[Any]]) -> Iterator[Violation]:
    who = f"{account.session} ({name_of(account.customer)})"
    for fault in account.faults:
        kind: Kind = "lost" if "Refused" in fault else "stuck" if "no answer" in fault else "out of order"
        yield Violation(kind, "seen by a customer", fault)
    kept = {row.seq: row for row in log}
    for said in account.said:
        row = kept.get(said.seq)
        if row is None or row.key != said.client_id:
            yield Violation("lost", "accepted and not kept", f"{who} line {said.seq}")
        if account.doubles.get(said.client_id, said.seq) != said.seq:
            yield Violation("doubled", "a double was another message", f"{who} line {said.seq}")
    for seq, words in account.lines.items():
        if seq not in kept or kept[seq].text != words:
            yield Violation("lost", "shown and not kept", f"{who} line {seq}")
    yield from _answers(account, log, who)


def _answers(account: Account, log: Sequence[Row[Any]], who: str) -> Iterator[Violation]:
    """Each question has its own answer, once, after it and in its turn; nothing else is answered."""
    kept = {row.seq: row for row in log}
    replies = [row for row in log if row.sender == "bot"]
    handed_over = any(is_honest(row.text) for row in replies)
    right: set[int] = set()
    for said in account.said:
        step = said.step
        if step is None or said.seq not in kept:
            continue
        mine = [row for row in replies if row.turn == kept[said.seq].turn and row.seq > said.seq]
        answers = [row.seq for row in mine if step.is_answered(row.text) or step.is_asked_again(row.text)]
        right.update(answers)
        if not answers and not handed_over:
            said_instead = [f"{row.seq}: {row.text}" for row in log if row.seq > said.seq - 3]
            yield Violation("lost", "not answered", f"{who} line {said.seq}: {step.text}; {said_instead}")
        if len(answers) > 1:
            yield Violation("doubled", "answered twice", f"{who} line {said.seq}: {answers}")
    for row in replies:
        if row.seq not in right and any(words in row.text for words in _answers_of(account.customer)):
            yield Violation("out of order", "answer to nothing", f"{who} line {row.seq}: {row.text}")


def _answers_of(customer: int) -> Iterator[str]:
    yield PROPOSED
    yield DONE
    for nth in range(ORDERS):
        yield order_of(customer, nth)
