"""Personal data, masked: enough is left to recognise one's own, too little to learn another's.

Pure functions; masking what is masked already changes nothing.
"""

import re
from collections.abc import Callable

from bot.domain.reading import Fact, Reading
from bot.domain.session import Action
from bot.domain.vocabulary import (
    MONEY_FACTS,
    NUMBER_FACTS,
    PERSONAL_FACTS,
    TIME_FACTS,
)

GONE = "***"

_HAN = "\u3400-\u9fff"
_DIGITS = str.maketrans("０１２３４５６７８９＋－＠", "0123456789+-@")
_NUMBERED = re.compile(
    r"(?:订单|訂單|单号|單號|编号|編號|流水|运单|運單|order|tracking|transaction)"
    r"\s*(?:号码|号|號碼|號|number|no|id)?\.?\s*[:：#是为為]*\s*$",
    re.I,
)
"""What stands before a number that is no person's."""

# ASCII alone in these: a Chinese character next to a number is no part of it.
_EMAIL = re.compile(r"(?<![\w.+@-])([\w+-])[\w.+-]*@([\w-]+(?:\.[\w-]+)+)", re.A)
_PHONE = re.compile(
    r"(?<![\w.+*-])(?:"
    r"(?:\+?86[\s-]?)?1[3-9]\d[\s-]?\d{4}[\s-]?\d{4}"
    r"|\+\d{1,3}(?:[\s-]?\(?\d{1,4}\)?){2,5}"
    r"|09\d{2}[\s-]?\d{3}[\s-]?\d{3}"
    r"|0\d{2,3}-\d{7,8}"
    r"|\(?\d{3}\)?[\s-]\d{3}-\d{4}"
    r"|[5-9]\d{3} \d{4}"
    r")(?![\w*]|[-.]\d)",
    re.A,
)
_IDENTITY = re.compile(
    r"(?<![\w*])[1-9]\d{5}(?:18|19|20)\d{2}(?:0[1-9]|1[0-2])(?:[0-2]\d|3[01])\d{3}[\dXx](?!\w)", re.A
)
_HK_IDENTITY = re.compile(r"(?<!\w)[A-Z]{1,2}\d{6}[(（][\dA][)）]", re.A)
_NAMED_IDENTITY = re.compile(
    r"((?:身份[证證](?:号码?|號碼?|字号|字號)?|护照号?|護照號?"
    r"|ID (?:card|number|no\.?)|passport(?: no\.?| number)?)"
    r"\s*[:：是为為]?\s*)([A-Z0-9][A-Z0-9-]{5,20})",
    re.I,
)
_CARD = re.compile(
    r"(?<![\w*.-])(?:62|4|5[1-5]|2[2-7]|3[4578]|6[05])(?:[\s-]?\d){11,18}(?![\w*]|[-.]\d)", re.A
)
_DISTRICT = rf"(?:[{_HAN}]{{1,8}}?(?:省|市|自治区|自治區|特别行政区|区|區|县|縣|镇|鎮|乡|鄉|旗))"
_DISTRICTS = rf"(?>{_DISTRICT}{{1,4}})"  # atomic: a long row of such words must not cost much
_HOUSE = (
    r"(?:\d{1,5}|[一二三四五六七八九十]{1,3})\s?(?:号楼|號樓|号|號|弄|栋|棟|幢|座|室|单元|單元|楼|樓|层|層)"
)
_HOUSES = rf"{_HOUSE}(?:[{_HAN}A-Za-z0-9#-]{{0,12}}?{_HOUSE})*(?:[A-Za-z]?-?\d{{1,5}})?"
_ADDRESS = re.compile(rf"({_DISTRICTS})[{_HAN}A-Za-z0-9·()（）-]{{1,30}}?{_HOUSES}")
_STREET = re.compile(rf"(?<=[路街道巷段村里])\s?{_HOUSES}")
_EN_STREET = re.compile(
    r"\b\d{1,5}[A-Z]?\s+(?:[A-Z][\w'.]*\s+){1,4}"
    r"(?:St|Street|Ave|Avenue|Rd|Road|Blvd|Boulevard|Lane|Ln|Dr|Drive|Way|Court|Ct|Square|Sq)\b\.?"
    r"(?:,?\s+(?:Apt|Suite|Unit|Flat|#)\.?\s*\w+)?"
)
_NAMED = re.compile(
    rf"((?:收件人|收货人|收貨人|联系人|聯絡人|姓名|户名|戶名)\s*[:：]?\s*)([{_HAN}]{{2,4}})(?![{_HAN}])"
)
_EN_NAMED = re.compile(r"\b((?i:(?:recipient|name)\s*:|my name is)\s*)([A-Z][a-z]+(?: [A-Z][a-z.]+){0,2})")


# --- One kind each ------------------------------------------------------------------------------------


def mask_phone(text: str) -> str:
    """``138****0001``; a short number keeps its end alone."""
    if "*" in text:
        return text
    digits = re.sub(r"\D", "", text.translate(_DIGITS))
    if len(digits) == 13 and digits.startswith("86"):
        digits = digits[2:]
    if len(digits) < 5:
        return "****"
    end = digits[-4:] if len(digits) > 7 else digits[-2:]
    return (digits[:3] if len(digits) > 9 else "") + "****" + end


def mask_person(text: str) -> str:
    """``张*``, ``J***``."""
    text = text.strip()
    if "*" in text or not text:
        return text
    return text[0] + ("*" if re.match(rf"[{_HAN}]", text) else GONE)


def mask_number(text: str) -> str:
    """The last four of an identity or a card; what is no longer than that is shown so everywhere."""
    characters = re.sub(r"[^0-9A-Za-z]", "", text.translate(_DIGITS))
    if "*" in text or len(characters) <= 4:
        return text
    return "****" + characters[-4:]


def mask_address(text: str) -> str:
    """The province, town and district, no further."""
    text = text.strip()
    if GONE in text:
        return text
    if re.search(rf"[{_HAN}]", text):
        districts = re.match(_DISTRICTS, text)
        return (districts[0] if districts and districts[0] != text else text[:2]) + GONE
    town = text.rpartition(",")[2] if "," in text else ""
    town = " ".join(re.sub(r"\S*\d\S*", "", town).split())
    return f"{GONE}, {town}" if town else GONE


def mask_email(text: str) -> str:
    """``a***@b.com``"""
    return _EMAIL.sub(rf"\1{GONE}@\2", text)


# --- Wherever they stand ------------------------------------------------------------------------------


def mask_text(text: str) -> str:
    """Whatever looks personal in a text; numbers of orders, parcels and amounts stay."""
    text = mask_email(text.translate(_DIGITS))
    text = _NAMED_IDENTITY.sub(lambda m: m[1] + mask_number(m[2]), text)
    text = _sub(_IDENTITY, mask_number, text, _is_identity)
    text = _HK_IDENTITY.sub(lambda m: mask_number(m[0]), text)
    text = _sub(_CARD, mask_number, text, _is_card)
    text = _sub(_PHONE, mask_phone, text)
    text = _ADDRESS.sub(rf"\1{GONE}", text)
    text = _STREET.sub(GONE, text)
    text = _NAMED.sub(lambda m: m[1] + mask_person(m[2]), text)
    text = _EN_NAMED.sub(lambda m: m[1] + mask_person(m[2]), text)
    return _EN_STREET.sub(GONE, text)


def mask_fact(fact: Fact) -> Fact:
    """The same fact, fit to be shown, kept and remembered."""
    if fact.name in PERSONAL_FACTS:
        value = _MASKS[fact.name](fact.value)
        return fact.model_copy(update={"value": value, "text": _as_shown(fact, value)})
    if fact.name in MONEY_FACTS | TIME_FACTS | NUMBER_FACTS:
        return fact
    return fact.model_copy(update={"value": mask_text(fact.value), "text": mask_text(fact.text)})


def mask_reading(reading: Reading) -> Reading:
    return reading.model_copy(update={"facts": tuple(mask_fact(fact) for fact in reading.facts)})


def mask_action(action: Action) -> Action:
    return action.model_copy(
        update={
            "address": mask_address(action.address) if action.address else None,
            "email": mask_email(action.email) if action.email else None,
        }
    )


_MASKS: dict[str, Callable[[str], str]] = {
    "phone": mask_phone,
    "person": mask_person,
    "address": mask_address,
    "id_number": mask_number,
    "card_number": mask_number,
}


def _as_shown(fact: Fact, masked: str) -> str:
    """The printed words around the value may stay, the value in any other spelling may not."""
    if fact.value == masked:
        return mask_text(fact.text)
    return mask_text(fact.text.replace(fact.value, masked)) if fact.value in fact.text else masked


def _sub(
    pattern: re.Pattern[str],
    mask: Callable[[str], str],
    text: str,
    holds: Callable[[str], bool] = lambda found: True,
) -> str:
    def replaced(found: re.Match[str]) -> str:
        is_a_persons = holds(found[0]) and not _NUMBERED.search(text, 0, found.start())
        return mask(found[0]) if is_a_persons else found[0]

    return pattern.sub(replaced, text)


def _is_identity(number: str) -> bool:
    """The check digit of GB 11643."""
    weighted = sum(int(digit) * (2 ** (17 - i) % 11) for i, digit in enumerate(number[:17]))
    return "10X98765432"[weighted % 11] == number[17].upper()


def _is_card(number: str) -> bool:
    """The check digit of ISO 7812 (Luhn)."""
    digits = [int(digit) for digit in reversed(re.sub(r"\D", "", number))]
    doubled = (sum(divmod(2 * digit, 10)) for digit in digits[1::2])
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0
