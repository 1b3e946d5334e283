"""Personal data, by their shape: what must be found so that it can be masked."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from adapters.readers.ocr.folding import fold
from adapters.readers.ocr.lexicon import regex
from bot.domain.vocabulary import FactName

STARS = "*＊•●·xX×"
_STAR = r"[*＊•●∗✱﹡×]"
_MOBILE = re.compile(
    rf"(?<![A-Za-z\d.-])(?:\+?(?:86|0086)[\s-]?)?(?P<it>1[3-9]\d(?:[\s-]?(?:\d{{4}}|{_STAR}{{4}})[\s-]?\d{{4}}|{_STAR}{{3,6}}\d{{2,4}}))(?![\d.])"
)
_ABROAD = re.compile(
    rf"(?<![A-Za-z\d.-])(?P<it>(?:\+\d{{1,3}}[\s-]?|(?:852|853|886)[\s-])\(?\d{{1,4}}\)?(?:[\s-]?(?:\d|{_STAR}){{3,4}}){{1,3}}|09\d{{2}}[\s-]?(?:\d|{_STAR}){{3}}[\s-]?\d{{3}}|\(\d{{3}}\)\s?\d{{3}}-\d{{4}})(?![\d.])"
)
_ID = re.compile(rf"(?<![0-9a-z])(?P<it>\d{{17}}[\dx]|\d{{1,6}}{_STAR}{{6,14}}[\dx]{{1,4}})(?![0-9a-z])")
_CARD = re.compile(
    rf"(?<![A-Za-z\d.*+])(?P<it>(?:\d{{4}}[\s-]?){{3,4}}\d{{1,4}}|(?:\d{{4,6}}[\s-]?)?(?:{_STAR}{{2,4}}[\s-]?){{1,4}}\d{{4}})(?![\d.*])"
)
_TAIL = regex("personal.tail")
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CITY = regex("personal.city")
_STREET = regex("personal.street")


@dataclass(frozen=True, slots=True)
class Personal:
    name: FactName
    value: str
    start: int
    end: int


def find_personal(text: str) -> list[Personal]:
    """Mobile numbers, ID numbers (with their checksum) and bank cards (by Luhn, or starred already)."""
    found: list[Personal] = []
    for candidate in _candidates(fold(text)):
        if not any(f.start < candidate.end and candidate.start < f.end for f in found):
            found.append(candidate)
    return sorted(found, key=lambda p: p.start)


def _candidates(key: str) -> Iterator[Personal]:
    for match in _ID.finditer(key):
        if any(c in STARS for c in match["it"]) or is_id_number(match["it"].upper()):
            yield Personal("id_number", match["it"].upper(), *match.span("it"))
    for match in _MOBILE.finditer(key):
        yield Personal("phone", re.sub(r"\s", "", match["it"]), *match.span("it"))
    for match in _CARD.finditer(key):
        digits = re.sub(r"[\s-]", "", match["it"])
        if any(c in STARS for c in digits) or (13 <= len(digits) <= 19 and is_card_number(digits)):
            yield Personal("card_number", digits, *match.span("it"))
    for match in _ABROAD.finditer(key):
        if len(re.sub(r"\D", "", match["it"])) >= 8 or "*" in match["it"]:
            yield Personal("phone", re.sub(r"\s", "", match["it"]), *match.span("it"))
    for match in _TAIL.finditer(key):
        yield Personal("card_number", match["it"], *match.span("it"))


def is_id_number(text: str) -> bool:
    """A mainland ID number: eighteen characters, the last one a checksum (GB 11643)."""
    if not re.fullmatch(r"\d{17}[\dX]", text) or not "1900" <= text[6:10] <= "2099":
        return False
    total = sum(int(digit) * weight for digit, weight in zip(text, _WEIGHTS, strict=False))
    return "10X98765432"[total % 11] == text[-1]


def is_card_number(digits: str) -> bool:
    """Luhn's check, and a first digit that card schemes use."""
    if digits[0] not in "23456" or len(set(digits)) < 2:
        return False
    total = 0
    for place, digit in enumerate(reversed(digits)):
        number = int(digit) * (1 + place % 2)
        total += number - 9 if number > 9 else number
    return total % 10 == 0


def is_address(text: str) -> bool:
    """Whether a line reads like a postal address."""
    return len(text) >= 8 and bool(_CITY.search(fold(text)) or _STREET.search(text))


_PERSON_ZH = re.compile(r"^[一-鿿*＊·]{2,5}(?:先生|女士|小姐)?$")
_PERSON_EN = re.compile(r"^[A-Z][\w.'*-]*(?:\s[A-Z*][\w.'*-]*){0,3}$")


def is_person(text: str) -> bool:
    """Whether a label's value may be somebody's name."""
    return bool(_PERSON_ZH.match(text.strip()) or _PERSON_EN.match(text.strip()))
