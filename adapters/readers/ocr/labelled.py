"""Facts that stand beside a label."""

import re
from collections.abc import Iterator
from dataclasses import replace

from adapters.readers.ocr.claims import Claim, Locale, Taken
from adapters.readers.ocr.items import PLAN_WORDS
from adapters.readers.ocr.layout import Pair, Sheet, find_pairs
from adapters.readers.ocr.lexicon import Meaning, is_furniture, label_at_end, regex, words
from adapters.readers.ocr.lines import Line, joined
from adapters.readers.ocr.money import find_money, stated_unit
from adapters.readers.ocr.people import split_recipient
from adapters.readers.ocr.personal import find_personal, is_person
from adapters.readers.ocr.sentences import without_kind
from adapters.readers.ocr.statuses import STATUS_OF_PAGE, status_in
from adapters.readers.ocr.tenders import claims_by_words, is_account, is_means_of_payment, with_dots
from bot.domain.vocabulary import MONEY_FACTS, NUMBER_FACTS, TIME_FACTS, Page

_MONEY = MONEY_FACTS | {"_amount", "_subtotal", "_fee", "_balance"}
_TIMES = TIME_FACTS | {"_time", "_other_time", "_created", "_issued", "_bought", "_done"}
_NUMBERS = NUMBER_FACTS | {"_number", "_confirmation"}
_PLACES = {"inline": 1.0, "column": 0.98, "right": 1.0, "below": 0.85, "above": 0.6}
_NUMBER = re.compile(r"#?[A-Za-z0-9](?:[A-Za-z0-9_/\-]|\.(?=\d)|\s(?=[A-Za-z0-9])){4,60}")
_COPY = re.compile(r"\s*[|丨]?\s*(?:复制|複製|copy|查看|全部|更多|>|›|》|→|详情)+\s*$", re.IGNORECASE)
_WHEN_PAID = re.compile(r"charged|paid|billed|已?支付|已?付款|扣款|已扣")
_FIRM = regex("unlabelled.firm")
_CHIP = re.compile(
    r"\s+(?:active|current|cancell?ed|paused|trial|使用中|生效中|已开通|已开启)$", re.IGNORECASE
)
_COUNTED = re.compile(r"^\s*\d{1,3}\s?(?:items?|件|份)[\s·,，|]*$")
_RANKS = {1: 1.0, 2: 0.72}


def labelled_claims(sheet: Sheet, page: Page, locale: Locale, taken: Taken) -> Iterator[Claim]:
    """Every label's fact. Values of labels that are no facts are taken too, for nothing else to get them."""
    by_label: dict[int, list[Pair]] = {}
    for pair in find_pairs(sheet):
        by_label.setdefault(id(pair.label) if pair.how != "inline" else id(pair.value), []).append(pair)
    for pairs in by_label.values():
        yield from _first_fitting(pairs, page, locale, taken)
    for index, row in enumerate(sheet.rows):
        for line in row:
            for claim in _run_together(line, page, locale, taken):
                yield _completed(claim, sheet.rows[index + 1 : index + 2])
    for row in sheet.rows:
        yield from claims_by_words(row, page, locale, taken)


def _first_fitting(pairs: list[Pair], page: Page, locale: Locale, taken: Taken) -> list[Claim]:
    for pair in sorted(pairs, key=lambda pair: -_PLACES[pair.how]):
        if pair.value in taken and pair.how in ("below", "above"):
            continue
        claims = list(_read(pair, page, locale))
        if pair.value.struck:
            taken.add(pair.value)
            continue
        unread = pair.meaning.name in _NUMBERS and not re.search(r"\d", pair.value.text)
        if claims or (pair.meaning.name.startswith("_") and pair.how in ("inline", "right") and not unread):
            taken.add(pair.label, *(claim.line for claim in claims))
            if pair.meaning.name.startswith("_") and pair.how in ("inline", "right"):
                taken.add(pair.value)
            return [claim for claim in claims if not claim.name.startswith("_")]
    return []


def _read(pair: Pair, page: Page, locale: Locale) -> Iterator[Claim]:
    name, value, score = pair.meaning.name, pair.value, _PLACES[pair.how]
    if pair.how == "above" and name not in _MONEY:
        return
    if name not in _TIMES | _NUMBERS and _is_a_moment(value, locale):
        if name == "amount" and _WHEN_PAID.match(pair.label.key):
            yield from _time("charged_at", value, 0.95 * score, page, locale)
        return
    if name in _MONEY:
        yield from _money(pair, score, page, locale)
    elif name in _TIMES:
        yield from _time(name, value, score, page, locale)
    elif name in _NUMBERS:
        if name == "_confirmation":
            name = "order_no" if page in ("order_detail", "order_list") else "transaction_no"
        yield from _number(name, value, score)
    elif name == "_status":
        yield from _status(value, score, page)
    elif name == "auto_renewal":
        yield from _renewal(value, score)
    elif name == "_channel":
        if is_means_of_payment(value):
            yield from _text("payment_method", value, 0.95 * score, page)
    elif name == "_to":
        if pair.label.key.startswith("from"):
            if is_account(value):
                yield from _text("payment_method", value, 0.9 * score, page)
        elif page in ("payment_result", "charge_notice"):
            firm = _FIRM.search(value.key) or not is_person(value.text)
            yield from _text("merchant" if firm else "person", value, 0.8 * score, page)
    elif name == "_refund_to" and page == "refund":
        yield from _text("payment_method", value, score, page)
    elif name == "_name" and page == "receipt":
        yield from _party(pair, score)
    elif name.startswith("_") or (pair.how == "below" and not _stacked(pair)):
        return
    elif name in ("address", "person"):
        yield from _recipient(name, pair, score, page)
    else:
        yield from _text(name, value, score, page)


def _is_a_moment(value: Line, locale: Locale) -> bool:
    """Whether a value is a date and nothing else: no amount, no name, no address."""
    if find_money(value.text):
        return False
    times = [time for time in locale.times(value.text) if time.day]
    return len(times) == 1 and times[0].end - times[0].start >= max(5, len(value.text.strip()) - 6)


def _party(pair: Pair, score: float) -> Iterator[Claim]:
    """The two names of an invoice: a firm is the seller if it stands at the right, as is the custom."""
    text = pair.value.text.strip()
    if is_person(text) and not re.search(r"公司|店|厂|中心|集团|社|行$", text):
        yield Claim("person", text, pair.value, score)
    elif pair.label.left > pair.label.right - pair.label.left and pair.label.left > 3 * pair.label.height * 4:
        yield Claim("merchant", text, pair.value, 0.9 * score)


def _recipient(name: str, pair: Pair, score: float, page: Page) -> Iterator[Claim]:
    lines = list(pair.lines or (pair.value,))
    claims = list(split_recipient(pair.value, lines))
    if name == "address":
        yield from claims
        return
    if any(claim.name in ("person", "phone") for claim in claims):
        yield from (claim for claim in claims if claim.name != "address" or len(claim.value) >= 8)
        return
    yield from _text(name, pair.value, score, page)


def _stacked(pair: Pair) -> bool:
    """Label over value, as forms have it: aligned, and the value the stronger of the two."""
    aligned = abs(pair.label.left - pair.value.left) < 0.8 * pair.label.height
    return aligned and (
        pair.value.strength >= pair.label.strength - 8 or pair.label.text.rstrip()[-1:] in ":：" or pair.close
    )


def _money(pair: Pair, score: float, page: Page, locale: Locale) -> Iterator[Claim]:
    meaning, value = pair.meaning, pair.value
    name = money_meaning(meaning.name, page)
    short = len(value.text) < 28
    found = find_money(value.text, loose=len(value.text) < 9)
    if not found or not (short or found[0].start <= 4):
        return
    money = (
        found[-1]
        if name == "amount"
        and len(found) == 2
        and value.text[found[0].end :].lstrip()[:1] not in "(（"
        and "¥" not in value.text[found[0].end :]
        else found[0]
    )
    if name == "discount" and money.decimal == 0:
        return
    if len(_words(value, money.start, money.end)) > 10 and score < 1:
        return
    line = value.part(money.start, money.end)
    headline = pair.how == "below" and value.height > 1.5 * pair.label.height
    score *= 1.2 if headline and name != "discount" else _rank(meaning, name, page)
    yield Claim(name, money.value, line, score, locale.unit(money) or stated_unit(pair.label.text))


def _rank(meaning: Meaning, name: str, page: Page) -> float:
    """A plain 'amount' weighs less than 'amount paid', unless a subscription's page has nothing else."""
    if name == meaning.name:
        return _RANKS.get(meaning.rank, 1.0)
    return 0.85 if page == "subscription" else 0.62


def _words(value: Line, start: int, end: int) -> str:
    return re.sub(r"[\W\d_]", "", value.key[:start] + value.key[end:])


def money_meaning(name: str, page: Page) -> str:
    """What a plain 'amount' is depends on the page."""
    if name != "_amount":
        return name
    return "refund_amount" if page == "refund" else "amount"


def _time(name: str, value: Line, score: float, page: Page, locale: Locale) -> Iterator[Claim]:
    if name == "_time":
        name = {"refund": "_other_time", "order_detail": "ordered_at", "logistics": "_other_time"}.get(
            page, "charged_at"
        )
    if name == "_created":
        name, score = (
            ("charged_at", 0.7 * score)
            if page in ("charge_notice", "payment_result")
            else ("ordered_at", score)
        )
    if name == "_done":
        name, score = ("refunded_at", 0.8 * score) if page == "refund" else ("_other_time", score)
    if name == "_bought":
        name = "ordered_at" if page in ("order_detail", "order_list", "refund") else "charged_at"
    if name == "_issued":
        name = "refunded_at" if page == "refund" else "_other_time"
    if name == "charged_at" and page == "refund":
        score *= 0.8
    forward = name in ("next_charge_at", "expected_at")
    times = [t for t in locale.times(value.text, forward) if t.iso]
    if not times and name == "expected_at":  # a time of day alone: today
        today = locale.now.date().isoformat()
        times = [replace(t, day=today) for t in locale.times(value.text) if t.clock]
    if not times or times[0].start > 12:
        return
    time = times[-1] if name == "expected_at" and len(times) == 2 else times[0]
    line = value.part(time.start, time.end)
    yield Claim(name, time.iso or "", line, score)


def _number(name: str, value: Line, score: float) -> Iterator[Claim]:
    text = _COPY.sub("", value.text)
    for match in _NUMBER.finditer(text):
        number = re.sub(r"\s", "", match[0])
        if not _is_number(number) or match.start() > 8:
            continue
        line = value.part(match.start(), match.end())
        yield Claim(name, number, line, score)
        return


def _is_number(number: str) -> bool:
    """Figures enough; or capitals with some figures among them, as app stores number their orders."""
    figures = sum(c.isdigit() for c in number)
    mixed = figures >= 2 and len(number) >= 8 and re.fullmatch(r"[A-Z0-9-]+", number)
    return figures >= max(4, 0.3 * len(number)) or bool(mixed)


def _status(value: Line, score: float, page: Page) -> Iterator[Claim]:
    for fact in STATUS_OF_PAGE.get(page, ()):
        found = status_in(value.key, fact)
        if found and found[1] > 0.3:
            yield Claim(fact, found[0], value, score)


def _renewal(value: Line, score: float) -> Iterator[Claim]:
    found = status_in(value.key, "auto_renewal")
    if found and found[1] > 0.5:
        yield Claim("auto_renewal", found[0], value, score)


def _text(name: str, value: Line, score: float, page: Page) -> Iterator[Claim]:
    stripped = _COPY.sub("", value.text).strip(" :：>›")
    if not stripped or is_furniture(stripped.lower()):
        return
    start = value.text.find(stripped)
    line = value.part(start, start + len(stripped)) if value.places else value
    if name == "error_code" and (code := re.match(r"[A-Za-z0-9][\w.-]*(?=[:：,，\s])", stripped)):
        yield Claim(name, code[0], line.part(0, code.end()), score)
        return
    if name in ("phone", "id_number", "card_number"):
        yield from _personal(name, line, score)
        return
    if name == "person" and not _is_person_line(stripped):
        name = "merchant" if page == "receipt" and len(stripped) > 5 else ""
    if (
        name == "product"
        and page in ("charge_notice", "subscription", "payment_result")
        and PLAN_WORDS.search(line.key)
    ):
        name = "plan"
    if (
        name == "carrier"
        and not words("carriers").search(line.key)
        and re.search(r"由|商家|骑手|自提|自取|pickup|standard|free|.{25}", line.key)
    ):
        return
    if name == "plan" and line.places:
        line = without_kind(line)
        stripped = line.text
    if name == "plan" and (chip := _CHIP.search(stripped)):
        stripped = stripped[: chip.start()]
        line = line.part(0, chip.start())
    if name == "plan" and find_money(stripped) and len(stripped) < 12:
        return
    if name in ("merchant", "plan", "product", "payment_method") and not re.search(
        r"[a-z\u4e00-\u9fff]", line.key
    ):
        return
    if name == "payment_method" and (
        way := re.match(r"(?:原路退回|原路返回|退回至?|退至|退到)[\s:：/-]*(?=\S)", stripped)
    ):
        stripped = stripped[way.end() :]
    if name == "payment_method":
        stripped = with_dots(stripped)
        line = replace(line, text=stripped, places=())
    if name and len(stripped) <= 120:
        yield Claim(name, stripped, line, score)


def _is_person_line(text: str) -> bool:
    first = re.split(r"[\s,，]+(?=[\d+(1])", text)[0]
    return is_person(first)


def _personal(name: str, line: Line, score: float) -> Iterator[Claim]:
    for found in find_personal(line.text):
        if found.name == name:
            yield Claim(found.name, found.value, line.part(found.start, found.end), score)
            return
    digits = re.search(r"[\d*+][\d\s*\-()]{3,24}\d", line.text)
    if digits:
        value = re.sub(r"[\s\-()]", "", digits[0])
        yield Claim(name, value, line.part(*digits.span()), score * 0.9)


def _run_together(line: Line, page: Page, locale: Locale, taken: Taken) -> Iterator[Claim]:
    """Values whose label stands right before them in the same line: 共2件 合计¥88.00, 下单时间 2025-12-01."""
    for money in find_money(line.text):
        place = line.part(money.start, money.end)
        found = label_at_end(line.key[: money.start])
        if page == "order_list" and _COUNTED.search(line.key[: money.start]):
            taken.add(place)
            yield Claim("amount", money.value, place, 0.75, locale.unit(money))
            continue
        if place in taken or not found or found[0].name not in _MONEY:
            continue
        taken.add(place)
        name = money_meaning(found[0].name, page)
        if not name.startswith("_") and not (name == "discount" and money.decimal == 0):
            score = 0.95 * _rank(found[0], name, page)
            yield Claim(name, money.value, place, score, locale.unit(money))
    for time in locale.times(line.text):
        place = line.part(time.start, time.end)
        found = label_at_end(line.key[: time.start])
        if place in taken or not found or found[0].name not in _TIMES or not time.iso:
            continue
        taken.add(place)
        yield from (c for c in _time(found[0].name, place, 0.95, page, locale) if not c.name.startswith("_"))
    for match in _NUMBER.finditer(line.text):
        for start in _number_starts(line, match):
            found = label_at_end(line.key[:start])
            if found and found[0].name in NUMBER_FACTS and line.part(start, match.end()) not in taken:
                for claim in _number(found[0].name, line.part(start, match.end()), 0.95):
                    taken.add(claim.line)
                    yield claim
                break


def _completed(claim: Claim, below: list[list[Line]]) -> Claim:
    """A number that breaks off at a hyphen goes on in the row below."""
    if claim.name in NUMBER_FACTS and claim.value.endswith("-") and below:
        rest = below[0][0]
        if re.fullmatch(r"[A-Z0-9-]+", rest.text.strip()):
            return replace(claim, value=claim.value + rest.text.strip(), line=joined([claim.line, rest], ""))
    return claim


def _number_starts(line: Line, match: re.Match[str]) -> list[int]:
    """A number may begin at any word of what looks like one: 'shipment 1R 84F' is a word and a number."""
    return [match.start()] + [
        m.end() for m in re.finditer(r"\s", line.text) if match.start() < m.end() < match.end()
    ]
