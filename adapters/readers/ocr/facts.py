"""From lines to facts: labels, then sentences, then what stands without a label; the best of each wins."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from decimal import Decimal

from adapters.readers.ocr.claims import Claim, Locale, Taken, distinct, overlaps
from adapters.readers.ocr.detector import Image
from adapters.readers.ocr.entries import entry_claims
from adapters.readers.ocr.item_table import find_item_table, item_table_claims
from adapters.readers.ocr.items import item_claims, title_claims
from adapters.readers.ocr.labelled import labelled_claims
from adapters.readers.ocr.layout import Sheet
from adapters.readers.ocr.lists import (
    agreement_cards,
    are_dated,
    charge_entries,
    message_cards,
    order_cards,
    parcel_cards,
    repeated_cards,
    status_cards,
    subscription_cards,
)
from adapters.readers.ocr.money import stated_unit
from adapters.readers.ocr.people import personal_claims
from adapters.readers.ocr.renewal import renewal_claims
from adapters.readers.ocr.sentences import is_renewing_plan, sentence_claims
from adapters.readers.ocr.simple_pages import (
    coupon_cards,
    coupon_claims,
    coupon_issuer,
    error_claims,
    explained_failure,
    product_claims,
)
from adapters.readers.ocr.statuses import status_claims
from adapters.readers.ocr.tables import find_table, table_claims
from adapters.readers.ocr.timeline import timeline_claims
from adapters.readers.ocr.unlabelled import find_headline, shop_claims, unlabelled_claims
from bot.domain.reading import Fact
from bot.domain.vocabulary import MONEY_FACTS, PERSONAL_FACTS, TIME_FACTS, FactName, Page

_COMMON: frozenset[FactName] = frozenset(
    {
        "amount",
        "discount",
        "order_no",
        "transaction_no",
        "charged_at",
        "merchant",
        "product",
        "payment_method",
    }
)
FACTS_OF_PAGE: dict[Page, frozenset[FactName]] = {
    "charge_notice": _COMMON
    | {
        "plan",
        "payment_status",
        "next_charge_at",
        "auto_renewal",
        "refund_amount",
        "refunded_at",
        "ordered_at",
        "item_price",
        "error_code",
        "error_message",
    },
    "subscription": _COMMON | {"plan", "next_charge_at", "auto_renewal", "item_price", "ordered_at"},
    "order_detail": _COMMON
    | {
        "ordered_at",
        "expected_at",
        "order_status",
        "item_price",
        "tracking_no",
        "carrier",
        "refund_amount",
        "shipment_status",
        "plan",
    },
    "order_list": _COMMON
    | {"ordered_at", "expected_at", "order_status", "item_price", "refund_amount", "tracking_no", "carrier"},
    "payment_result": _COMMON
    | {"payment_status", "error_code", "error_message", "plan", "ordered_at", "expected_at", "item_price"},
    "refund": _COMMON
    | {
        "refund_amount",
        "refunded_at",
        "expected_at",
        "refund_status",
        "ordered_at",
        "item_price",
        "tracking_no",
        "carrier",
        "plan",
    },
    "logistics": frozenset(
        {
            "order_no",
            "tracking_no",
            "carrier",
            "shipment_status",
            "expected_at",
            "merchant",
            "product",
            "ordered_at",
        }
    ),
    "coupon": frozenset({"discount", "coupon_status", "merchant", "error_message"}),
    "product": frozenset({"product", "item_price", "merchant"}),
    "receipt": _COMMON | {"item_price", "ordered_at", "plan", "next_charge_at", "refund_amount"},
    "chat": frozenset({"order_no", "tracking_no"}),
    "error": frozenset({"error_code", "error_message"}),
    "other": frozenset(),
}
# Of these a page has one; of the others it may have several.
_SINGLE: frozenset[FactName] = frozenset(
    {"amount", "refund_amount", "charged_at", "ordered_at", "refunded_at", "next_charge_at", "expected_at",
     "auto_renewal", "order_status", "payment_status", "refund_status", "shipment_status", "carrier",
     "payment_method", "error_message", "error_code", "plan", "coupon_status"}
)  # fmt: skip
_LEAST = 0.4
_WITH_ITEMS = frozenset({"order_detail", "order_list", "receipt", "refund", "payment_result"})


def find_facts(sheet: Sheet, page: Page, locale: Locale, image: Image) -> tuple[Fact, ...]:
    """The facts that a page of this kind may hold, in reading order."""
    claims = _grouped(sheet, page, locale, image) or _page_claims(sheet, page, locale, image)
    claims = [claim for claim in claims if claim.name in FACTS_OF_PAGE[page] | PERSONAL_FACTS]
    if page in ("other", "product", "coupon", "error"):
        claims = [claim for claim in claims if claim.name not in ("person", "address")]
    claims = _with_stated_unit(claims, sheet)
    chosen = sorted(distinct(claims), key=lambda claim: (claim.line.top, claim.line.left))
    return tuple(claim.fact() for claim in chosen if claim.value)


def _with_stated_unit(claims: list[Claim], sheet: Sheet) -> list[Claim]:
    """A page that states one currency, in whatever head or label, states it for all its figures."""
    stated = {unit for line in sheet.lines if (unit := stated_unit(line.text))}
    if len(stated) != 1:
        return claims
    unit = stated.pop()
    return [replace(c, unit=unit) if c.name in MONEY_FACTS and c.unit is None else c for c in claims]


def _grouped(sheet: Sheet, page: Page, locale: Locale, image: Image) -> list[Claim]:
    """The claims of a list, by row or card; empty if the page is no list."""
    cards: Sequence[Sheet] = ()
    if page in ("order_list", "charge_notice") and (table := find_table(sheet, locale)):
        rows = list(table_claims(table, page, locale))
        chosen = [
            c
            for group in {c.group for c in rows}
            for c in _choose([r for r in rows if r.group == group], page)
        ]
        return [*chosen, *personal_claims(sheet, page, chosen, Taken())]
    if page == "order_list":
        cards = order_cards(sheet) or repeated_cards(sheet) or status_cards(sheet)
    elif page == "coupon":
        return _coupons(sheet, locale)
    elif page == "subscription":
        cards = agreement_cards(sheet) or subscription_cards(sheet)
    elif page == "logistics":
        cards = parcel_cards(sheet)
    elif page == "charge_notice":
        cards = repeated_cards(sheet) or message_cards(sheet, locale)
        entries = [] if cards or _adds_up(sheet) or _is_of_one(sheet) else charge_entries(sheet, locale)
        entries = entries if are_dated(entries, locale) else []
        if len(entries) >= 3 or (len(entries) == 2 and not sheet.labels):
            return [
                replace(claim, group=number)
                for number, entry in enumerate(entries)
                for claim in entry_claims(entry, entries, locale)
            ]
    grouped = [
        replace(claim, group=number)
        for number, card in enumerate(cards)
        for claim in _page_claims(card, page, locale, image)
    ]
    return [*grouped, *_personal_elsewhere(sheet, cards, page, grouped)] if grouped else []


def _personal_elsewhere(
    sheet: Sheet, cards: Sequence[Sheet], page: Page, claims: Sequence[Claim]
) -> list[Claim]:
    """Personal data outside the cards: it has to be found wherever it stands."""
    inside = {line.box for card in cards for line in card.lines}
    rest = Sheet([line for line in sheet.lines if line.box not in inside], sheet.width, sheet.height)
    return list(personal_claims(rest, page, claims, Taken())) if rest.lines else []


def _is_of_one(sheet: Sheet) -> bool:
    """One charge's own page: its amount towers over all, and labels tell its details."""
    headline = find_headline(sheet, Taken())
    return bool(
        headline
        and headline[0].height > 1.6 * sheet.usual_height
        and sum(not meaning.guessed for meaning in sheet.labels.values()) >= 2
    )


def _adds_up(sheet: Sheet) -> bool:
    """A bill of one purchase, with a subtotal or a fee, is no list of charges."""
    return any(meaning.name in ("_subtotal", "_fee") for meaning in sheet.labels.values())


def _coupons(sheet: Sheet, locale: Locale) -> list[Claim]:
    cards = coupon_cards(sheet)
    claims: list[Claim] = []
    for number, card in enumerate(cards):
        named = [c for c in labelled_claims(card, "coupon", locale, Taken()) if c.name != "discount"]
        found = [*named, *status_claims(card, "coupon"), *coupon_claims(card, locale)]
        if len(cards) == 1:
            found += coupon_issuer(card)
        claims += [replace(claim, group=number) for claim in _choose(found, "coupon")]
    claims += [
        c
        for c in error_claims(sheet)
        if c.name == "error_message" and len(c.value) > 7 and not c.value.endswith(")")
    ]
    return _choose(claims, "coupon") if not cards else claims


def _page_claims(sheet: Sheet, page: Page, locale: Locale, image: Image) -> list[Claim]:
    taken = Taken()
    claims: list[Claim] = []
    table = find_item_table(sheet) if page in _WITH_ITEMS else None
    if table:
        claims += item_table_claims(table, page, locale)
        sheet = table.rest_of(sheet)
    claims += labelled_claims(sheet, page, locale, taken)
    if page in _SIMPLE:
        claims += [*_SIMPLE[page](sheet, locale), *personal_claims(sheet, page, claims, taken)]
        return _choose(claims, page)
    if page in ("payment_result", "charge_notice"):
        claims += list(explained_failure(sheet)) if _says_failure(claims, sheet, page) else []
    claims += [*status_claims(sheet, page), *timeline_claims(sheet, page, locale)]
    told = sentence_claims(sheet.lines, locale)
    if page in ("order_detail", "order_list"):
        told = [c for c in told if c.name != "merchant"]  # goods' descriptions read like sentences
    claims += [c for c in told if c.line not in taken or c.name == "merchant" or is_renewing_plan(c)]
    if page == "subscription":
        claims = [c for c in claims if c.name != "discount" or c.score > 0.75]  # sentences only advertise
    claims += list(renewal_claims(sheet, image, page))
    claims += list(unlabelled_claims(sheet, page, locale, taken))
    if page in _WITH_ITEMS and table is None:
        for claim in claims:
            if claim.score >= 0.55:
                taken.add(claim.line)
        claims += list(item_claims(sheet, page, locale, taken))
    if page in ("order_list", "refund") and not any(claim.name == "product" for claim in claims):
        claims += list(title_claims(sheet, taken))
    claims += personal_claims(sheet, page, claims, taken)
    return _choose(_without_past_hopes(_without_guesses(claims, page)), page)


def _without_past_hopes(claims: list[Claim]) -> list[Claim]:
    """What has been delivered is expected no more: a time in a sentence is one of its steps."""
    stated = [claim for claim in claims if claim.name == "shipment_status"]
    if not stated or max(stated, key=lambda claim: claim.score).value != "delivered":
        return claims
    return [claim for claim in claims if claim.name != "expected_at" or claim.score > 0.8]


def _without_guesses(claims: list[Claim], page: Page) -> list[Claim]:
    """What only stands somewhere on the page gives way to what the page says otherwise."""
    names = {claim.name for claim in claims if claim.score >= 0.6}
    kept = claims
    if (names & {"next_charge_at", "refunded_at", "refund_amount"} and "charged_at" not in names) and not (
        "amount" in names and "next_charge_at" not in names
    ):
        kept = [claim for claim in kept if claim.name != "charged_at"]
    if "merchant" in names:
        kept = [claim for claim in kept if claim.name != "merchant" or claim.score >= 0.6]
    if page == "logistics":  # 尾号 is that of a phone or of the waybill
        kept = [claim for claim in kept if claim.name != "card_number" or len(claim.value) > 4]
    return kept


_SIMPLE: dict[Page, Callable[[Sheet, Locale], Iterable[Claim]]] = {
    "other": lambda sheet, locale: (),
    "chat": lambda sheet, locale: (),
    "error": lambda sheet, locale: error_claims(sheet),
    "product": lambda sheet, locale: [*product_claims(sheet, locale), *shop_claims(sheet, Taken())],
}


def _says_failure(claims: Iterable[Claim], sheet: Sheet, page: Page) -> bool:
    said = [c for c in (*claims, *status_claims(sheet, page)) if c.name == "payment_status"]
    return bool(said) and max(said, key=lambda claim: claim.score).value == "failed"


def _choose(claims: list[Claim], page: Page) -> list[Claim]:
    chosen: list[Claim] = []
    for name in {claim.name for claim in claims}:
        rivals = [claim for claim in distinct(claims) if claim.name == name and claim.score >= _LEAST]
        rivals.sort(
            key=lambda claim: (
                (-round(claim.score, 1), -len(claim.value), -claim.score)
                if name in TIME_FACTS
                else (-claim.score, 0, 0.0)
            )
        )
        if name == "amount":
            chosen += _paid_of(rivals, claims)
        elif name in _SINGLE:
            chosen += rivals[:1]
        elif rivals:
            limit = 0.75 * rivals[0].score if name in ("merchant", "plan") else _LEAST
            chosen += [claim for claim in rivals if claim.score >= limit]
    return _without_shadows(_without_sums(chosen))


def _paid_of(rivals: list[Claim], claims: Iterable[Claim]) -> list[Claim]:
    """The strongest amount; but of two sums that a discount lies between, the one that was paid."""
    off = sum((Decimal(c.value) for c in distinct(claims) if c.name == "discount"), Decimal(0))
    for rival in rivals[1:]:
        before = Decimal(rivals[0].value) - Decimal(rival.value)
        if off and before == off and rival.score > 0.6 * rivals[0].score:
            return [rival]
    return rivals[:1]


def _without_sums(claims: list[Claim]) -> list[Claim]:
    """A total of the discounts is not one more discount."""
    discounts = [claim for claim in claims if claim.name == "discount"]
    totals = [
        claim
        for claim in discounts
        if len(discounts) > 1
        and (
            abs(sum(Decimal(c.value) for c in discounts if c is not claim) - Decimal(claim.value))
            < Decimal("0.01")
            or claim.score < max(c.score for c in discounts) - 0.2
        )
    ]
    return [claim for claim in claims if claim not in totals[:1] or len(discounts) == 1]


def _without_shadows(claims: list[Claim]) -> list[Claim]:
    """One place in the picture says one thing: the stronger claim to it stays. Statuses may share a word."""
    kept: list[Claim] = []
    for claim in sorted(claims, key=lambda claim: -claim.score):
        rivals = [k for k in kept if overlaps(k.line.box, claim.line.box) and k.line.text == claim.line.text]
        if not rivals or claim.name in PERSONAL_FACTS or claim.name.endswith("status"):
            kept.append(claim)
    return kept
