"""What a picture, or a text, says of which record is meant."""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal, InvalidOperation
from difflib import SequenceMatcher

from bot.domain.reading import RECORD_PAGES, Reading, rows, telling
from bot.domain.records import Records
from bot.domain.times import PartialTime, days_in
from bot.domain.vocabulary import FactName, Page


@dataclass(frozen=True, slots=True)
class Clues:
    """``numbers`` are the shop's; ``platform_numbers`` those of whoever took the payment, which the shop may
    not know. ``soft``: said by the way, so that it may point at a record and never rules one out.
    """

    numbers: frozenset[str] = frozenset()
    platform_numbers: frozenset[str] = frozenset()
    amounts: frozenset[Decimal] = frozenset()
    times: tuple[PartialTime, ...] = ()
    names: tuple[str, ...] = ()
    page: Page | None = None
    soft: bool = False
    rows: tuple["Clues", ...] = ()
    """Of a list, the clues of each row; what they say together says little."""

    def __bool__(self) -> bool:
        return bool(self.numbers or self.platform_numbers or self.amounts or self.times or self.names)

    def over(self, other: "Clues") -> "Clues":
        """These, and for what they leave open the other ones."""
        return Clues(
            self.numbers or other.numbers,
            self.platform_numbers or other.platform_numbers,
            self.amounts or other.amounts,
            self.times or other.times,
            self.names or other.names,
            self.page or other.page,
            self.soft,
            tuple(self.over(row) for row in other.rows),
        )


NO_CLUES = Clues()

_NUMBER_FACTS: tuple[FactName, ...] = ("order_no", "tracking_no")
_PLATFORM_NUMBER_FACTS: tuple[FactName, ...] = ("transaction_no",)
_AMOUNT_FACTS: tuple[FactName, ...] = ("amount", "refund_amount")
_TIME_FACTS: tuple[FactName, ...] = ("charged_at", "ordered_at", "refunded_at", "next_charge_at")
_NAME_FACTS: tuple[FactName, ...] = ("plan", "product")


def clues_of(reading: Reading) -> Clues:
    """The clues of a picture."""

    def values(names: Iterable[FactName]) -> list[str]:
        return [fact.value for fact in reading.facts if fact.name in names]

    times = (PartialTime.parse(value) for value in values(_TIME_FACTS))
    parts = rows(reading)
    return Clues(
        numbers=frozenset(map(plain, values(_NUMBER_FACTS))),
        platform_numbers=frozenset(map(plain, values(_PLATFORM_NUMBER_FACTS))),
        amounts=frozenset(filter(None, map(_decimal, values(_AMOUNT_FACTS)))),
        times=tuple(time for time in times if time),
        names=tuple(map(plain, values(_NAME_FACTS))),
        page=reading.page,
        rows=tuple(map(clues_of, parts)) if len(parts) > 1 else (),
    )


def clues_of_all(readings: Sequence[Reading]) -> Clues:
    """The clues of a turn's pictures: of the one that it is about, or of each that shows a record."""
    reading = telling(readings)
    if reading is None:
        return NO_CLUES
    each = [clues for clues in map(clues_of, readings) if clues and clues.page in RECORD_PAGES]
    if len(each) < 2:
        return clues_of(reading)
    return replace(clues_of(reading), rows=tuple(row for clues in each for row in clues.rows or (clues,)))


@dataclass(frozen=True, slots=True)
class SaidClues:
    """The clues of a text, and what is left of the text without them."""

    clues: Clues
    rest: str


def clues_in(text: str, records: Records, today: date) -> SaidClues:
    """The clues of a text: numbers, amounts, days, and names that the customer's own records bear."""
    rest = unicodedata.normalize("NFKC", text)
    names = tuple(_names_in(rest, records))
    numbers, rest = _numbers_in(rest, records)
    said_days = days_in(rest, today)
    for said in sorted(said_days, key=lambda s: s.span, reverse=True):
        rest = rest[: said.span[0]] + " " + rest[said.span[1] :]
    amounts, amounts_name, rest = _amounts_in(rest, set(_own_amounts(records)))
    for name in names:
        rest = re.sub(re.escape(name), " ", rest, flags=re.I)
    clues = Clues(
        numbers=frozenset(numbers),
        amounts=frozenset(amounts),
        times=tuple(day for said in said_days for day in said.days),
        names=names,
        soft=not (numbers or amounts_name or any(said.names for said in said_days)),
    )
    return SaidClues(clues, rest)


_ID = re.compile(r"(?<![A-Za-z0-9])(?:[A-Za-z]{1,6}-\d[\dA-Za-z-]*|[A-Za-z]{1,6}\d[\dA-Za-z-]{5,}|\d{8,})")
_MOBILE = re.compile(r"1[3-9]\d{9}")


def _numbers_in(text: str, records: Records) -> tuple[set[str], str]:
    """What looks like a number of the shop's, and whatever is one of this customer's."""
    own = sorted(_own_numbers(records), key=len, reverse=True)
    literally = "|".join(rf"(?<![\w-]){re.escape(number)}(?![\w-])" for number in own)
    found = list(re.findall(literally, text, re.I | re.A)) if own else []
    found += [n for n in _ID.findall(text) if _digits(n) >= 3 and not _MOBILE.fullmatch(n)]
    for number in found:
        text = text.replace(number, " ")
    return set(map(plain, found)), text


def _digits(text: str) -> int:
    return sum(char.isdigit() for char in text)


_AMOUNT = re.compile(
    r"(?P<sign>[¥$€£]\s*)?(?P<n>\d{1,6}(?:,\d{3})*(?:\.\d{1,2})?)(?![\d.:/]\d|\d)"
    r"(?P<word>\s*(?:元|块|塊|圆|蚊|rmb|cny|usd|hkd|yuan|bucks?|dollars?))?",
    re.I,
)
_OTHER_UNIT = re.compile(
    r"\s*(?:[年月日号號天个個件次点點分岁歲%小周楼]|(?:st|nd|rd|th|days?|months?|times?|pcs)\b)", re.I
)
_PAID_BEFORE = re.compile(
    r"(?:[扣付花收充退](?:了|我|款|掉|费|費|走|咗)*|\b(?:charged?|paid|pay|payment|refund)\s+(?:me\s+|of\s+)?)\s*$",
    re.I,
)
_PAID_AFTER = re.compile(r"\s*(?:的?[那这這]?[笔筆]|(?:one|charge|payment|refund|debit)\b)", re.I)


def _amounts_in(text: str, own: set[Decimal]) -> tuple[set[Decimal], bool, str]:
    """Amounts, whether one of them is surely money, and the rest. A bare number has to be somebody's."""
    amounts, surely, rest = set(), False, text
    for found in _AMOUNT.finditer(text):
        amount = _decimal(found["n"].replace(",", ""))
        bare = not (found["sign"] or found["word"])
        if not amount or (bare and _OTHER_UNIT.match(text, found.end("n"))):
            continue
        paid = _PAID_BEFORE.search(text, 0, found.start()) or _PAID_AFTER.match(text, found.end("n"))
        if bare and not paid and (amount not in own or amount < 10):
            continue
        amounts.add(amount)
        surely = surely or not bare or bool(paid)
        rest = rest.replace(found.group(), " ", 1)
    return amounts, surely, rest


_ANYBODYS = re.compile(
    r"会员|會員|自动|自動|续费|續費|连续|連續|包月|包年|包季|年付|月付|订阅|訂閱|订单|訂單|快递|快遞|包裹|退款|扣款|扣费"
    r"|手机号|手機號|支付宝|支付寶|微信|银行卡|銀行卡|服务|服務|[\d\s]+"
)
"""Words that tell no record from another."""
_ANYBODYS_EN = frozenset(
    {"auto", "monthly", "annual", "yearly", "weekly", "quarterly", "month", "year", "member", "membership"}
    | {"subscription", "plan", "renew", "renewal", "order", "package", "parcel", "refund", "charge"}
    | {"this", "that", "what", "with", "from", "have", "your"}
)
_SHARED = 2
"""Characters of Chinese that a customer's word and a name need to have in common: 耳机, 影视."""


def _names_in(text: str, records: Records) -> Iterator[str]:
    """The customer's own words for a plan or goods, where they are part of its name; the longest alone."""
    text = plain(text, spaces=True)
    shared = {part for name in _own_names(records) for part in _shared_with(text, name)}
    longest = max(map(len, shared), default=0)
    yield from (part for part in shared if len(part) == longest)


def _shared_with(text: str, name: str) -> Iterator[str]:
    words = set(re.findall(r"[a-z]{4,}", name)) - _ANYBODYS_EN
    yield from (word for word in words if re.search(rf"\b{word}", text))
    a, b = _ANYBODYS.sub("\0", text), _ANYBODYS.sub("\1", name)
    block = SequenceMatcher(None, a, b, autojunk=False).find_longest_match()
    part = a[block.a : block.a + block.size].strip()
    if len(part) >= _SHARED and re.search("[㐀-鿿]", part):
        yield part


def _own_names(records: Records) -> Iterator[str]:
    for subscription in records.subscriptions:
        yield plain(subscription.plan, spaces=True)
    for order in records.orders:
        for item in order.items:
            yield plain(item.title, spaces=True)


def _own_numbers(records: Records) -> Iterator[str]:
    for record in records.all():
        yield record.ref.partition(" ")[2]
    for order in records.orders:
        if order.shipment:
            yield order.shipment.tracking_no


def _own_amounts(records: Records) -> Iterator[Decimal]:
    yield from (order.total for order in records.orders)
    yield from (subscription.price for subscription in records.subscriptions)
    yield from (charge.amount for charge in records.charges)
    yield from (refund.amount for refund in records.refunds)


def plain(text: str, *, spaces: bool = False) -> str:
    """A name or number without what writers vary: width, case and, unless they are to stay, spaces."""
    return re.sub(r"\s+", " " if spaces else "", unicodedata.normalize("NFKC", text)).casefold()


def _decimal(value: str) -> Decimal | None:
    try:
        return Decimal(value)
    except InvalidOperation:
        return None
