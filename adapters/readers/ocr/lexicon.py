"""The word lists beside this file, made ready for matching."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from bot.domain.vocabulary import Page

_FOLDER = Path(__file__).parent
_LONGEST_LABEL = 32
_TRAILING = " :*·•>›»?？！!。.、,，"
_LEADING = " *·•◆■●|~-–—"
# A label may carry its currency or a note: 金额(元), Total (USD), Subtotal (2 items).
_NOTE = re.compile(r"[(\[【<][^)\]】>\d*]{0,14}(?:\d{1,3}\s?[^)\]】>\d*]{1,10})?[)\]】>]$")
_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_SPACED = re.compile(r"^(?P<label>[\u4e00-\u9fff]{3,8})(?:\s+(?=\S)|(?=[\d¥$-]))")
# A label is short, and no sentence.
_BUILT = {
    True: re.compile(r"(?:[\u4e00-\u9fffa-z/]|\d(?:\.\d)?折){2,10}"),
    False: re.compile(r"[a-z#&/'.%()-]+(?: [a-z#&/'.%()-]+){0,4}"),
}
_RUN = re.compile(r"(?<![\u4e00-\u9fff])[\u4e00-\u9fff]{2,7}$")
_MONTH = re.compile(r"^(?:20\d\d年)?\d{1,2}月份?(?=.{3})\s*")
_PERCENT = re.compile(r"\s*@?\s*\(?\d+(?:\.\d+)?\s?%\)?(?=\s|$)")
_MODIFIER = re.compile(r"^(?:您的|你的|我的|本次|本单|本期|此次|该笔|本笔|原|your |the |my |this )")


# TOTAL EUR: the currency in letters.
_CODE_AFTER = re.compile(r"\s(?:usd|eur|gbp|cny|rmb|hkd|twd|ntd|sgd|aud|cad|nzd|jpy|krw|inr|myr|thb|chf|元)$")


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a label means. ``rank`` orders synonyms that a page may show side by side; 1 is the strongest."""

    name: str
    rank: int = 1
    guessed: bool = False
    """Told by how the label is built, not listed: such a text may also be a name or a sentence."""


@cache
def load(file: str) -> Any:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # C where libyaml is there: ten times faster
    return yaml.load((_FOLDER / file).read_text(encoding="utf-8"), Loader=loader)  # noqa: S506 - a safe loader


def squeeze(key: str) -> str:
    """A folded text without white space, and in one spelling where two are common."""
    return re.sub(r"\s+", "", key).replace("帐", "账")


@dataclass(frozen=True, slots=True)
class Rule:
    """A pattern for whole labels and the meaning of what fits it."""

    pattern: re.Pattern[str]
    meaning: Meaning


@cache
def _rules(language: str) -> tuple[Rule, ...]:
    rules = []
    for heading, body in load("label_rules.yml")[language]:
        name, _, rank = heading.partition("/")
        rules.append(Rule(re.compile(body), Meaning(name, int(rank or 1), guessed=True)))
    return tuple(rules)


@cache
def label_by_rule(bare: str) -> Meaning | None:
    """What a label that no list holds means, by the words that it is built of."""
    chinese = bool(_CHINESE.search(bare))
    text = squeeze(bare) if chinese else " ".join(_PERCENT.sub("", bare).split())
    if not _BUILT[chinese].fullmatch(text):
        return None
    text = _MODIFIER.sub("", text) or text
    if known := labels().get(squeeze(text)):
        return known
    return next(
        (rule.meaning for rule in _rules("zh" if chinese else "en") if rule.pattern.fullmatch(text)), None
    )


@cache
def labels() -> Mapping[str, Meaning]:
    table: dict[str, Meaning] = {}
    for heading, words in load("labels.yml").items():
        name, _, rank = heading.partition("/")
        for word in words:
            table[squeeze(word)] = Meaning(name, int(rank or 1))
    return table


def label(key: str) -> Meaning | None:
    """What a whole text (folded) means, if it is a label."""
    bare = _MONTH.sub("", key.strip(_TRAILING).lstrip(_LEADING))
    if len(bare) > _LONGEST_LABEL + 16:
        return None
    table = labels()
    found = table.get(squeeze(bare))
    if found is None and (note := _NOTE.search(bare)):
        bare = bare[: note.start()].strip(_TRAILING)
        found = table.get(squeeze(bare))
    if found is None and (code := _CODE_AFTER.search(bare)):
        found = table.get(squeeze(bare[: code.start()]))
    return found or label_by_rule(bare)


def label_at_start(key: str) -> tuple[Meaning, int] | None:
    """The label that ends with the first colon, and where what follows it begins; a Chinese one may do
    with a space, or end where figures begin."""
    colon = re.search(r"[:：]", key)
    if colon and colon.start() <= _LONGEST_LABEL + 8 and (found := label(key[: colon.start()])):
        return found, colon.end()
    spaced = _SPACED.match(key)
    if spaced and (found := label(spaced["label"])):
        return found, spaced.end()
    return None


def label_at_end(key: str) -> tuple[Meaning, int] | None:
    """The longest label that a text ends with, and where it begins."""
    bare = key.rstrip(_TRAILING + "-+−()（）[]【】为是人民币共")
    for start in range(max(0, len(bare) - _LONGEST_LABEL), len(bare)):
        if start and bare[start].isascii() and bare[start].isalnum() and bare[start - 1].isalnum():
            continue
        if bare[start].isspace() or bare[start] in _LEADING:
            continue
        if found := labels().get(squeeze(bare[start:])):
            return found, start
    run = _RUN.search(bare)
    if run and (guessed := label_by_rule(run[0])):
        return guessed, run.start()
    return None


def pattern(words: Iterable[str]) -> re.Pattern[str]:
    """Any of the words, the longest first; English words only whole, white space as it comes."""
    parts = []
    for word in sorted({str(w) for w in words}, key=len, reverse=True):
        body = r"\s*".join(re.escape(piece) for piece in re.split(r"\s+", word))
        before = r"(?<![a-z])" if word[0].isascii() and word[0].isalpha() else ""
        after = r"(?![a-z])" if word[-1].isascii() and word[-1].isalpha() else ""
        parts.append(f"{before}{body}{after}")
    return re.compile("|".join(parts) or r"(?!)")


@cache
def regex(name: str) -> re.Pattern[str]:
    """A pattern of patterns.yml. An alternative that begins with (?i) is blind to case, the others are not."""
    alternatives = (re.sub(r"^\(\?i\)(.*)$", r"(?i:\1)", part) for part in load("patterns.yml")[name])
    return re.compile("|".join(alternatives))


@cache
def words(name: str) -> re.Pattern[str]:
    """One flat list of words.yml as a pattern."""
    return pattern(load("words.yml")[name])


@cache
def statuses(fact: str) -> tuple[tuple[re.Pattern[str], str], ...]:
    """Every word of a status, the longest first, with the value it stands for."""
    flat = [
        (str(word), str(value))
        for value, group in load("words.yml")["statuses"][fact].items()
        for word in group
    ]
    flat.sort(key=lambda pair: -len(squeeze(pair[0])))
    return tuple((pattern([word]), value) for word, value in flat)


@cache
def says_a_status(key: str) -> bool:
    """Whether a text is a status word and nothing else."""
    bare = squeeze(key.strip(_TRAILING))
    return bare in _status_words()


@cache
def _status_words() -> frozenset[str]:
    return frozenset(
        squeeze(str(word))
        for groups in load("words.yml")["statuses"].values()
        for group in groups.values()
        for word in group
    )


@cache
def page_words() -> Mapping[Page, tuple[tuple[re.Pattern[str], float], ...]]:
    """By page: a pattern for any of its words, and their weight."""
    return {
        page: tuple((pattern(group), float(weight)) for weight, group in groups.items())
        for page, groups in load("words.yml")["pages"].items()
    }


def is_furniture(key: str) -> bool:
    """Whether a text is a button, a tab or a menu and names nothing."""
    bare = squeeze(key.strip(_TRAILING + _LEADING))
    return bare in _furniture()


@cache
def _furniture() -> frozenset[str]:
    data = load("words.yml")
    return frozenset(squeeze(str(w)) for w in [*data["furniture"], *data["tabs"]])
