"""Text, pictures and the dialogue so far -> what is asked, and whether the pending action is settled."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any

from bot.domain.intent import Alternative, Confirmed, Declined, IntentMatch, Meant, Settled
from bot.domain.matching import NO_CLUES, Reference, SaidClues, clues_in, clues_of, without_about
from bot.domain.message import Entry
from bot.domain.ports import Classifier
from bot.domain.reading import Hint, Reading
from bot.domain.records import Records
from bot.domain.session import Dialogue, Option, Proposal
from bot.domain.vocabulary import IntentName, Language, Page

SURE = 0.45
"""Below this the customer is asked rather than guessed at."""

SURE_YES = 0.6
"""A yes sets something in motion, so it has to be plainer."""

PAGE_ASKS: dict[Page, IntentName] = {
    "charge_notice": "explain_charge",
    "receipt": "explain_charge",
    "payment_result": "explain_charge",
    "subscription": "stop_auto_renewal",
    "order_detail": "check_order",
    "order_list": "check_order",
    "refund": "check_refund",
    "logistics": "track_shipment",
    "coupon": "fix_coupon",
    "product": "ask_about_product",
}
"""What somebody who sends just this page most likely asks."""

PAGE_WEIGHT = 1.5
"""How much the page's own question gains over what the words alone say."""

COURTESIES: frozenset[IntentName] = frozenset({"greet", "thank"})

_HOLD = re.compile(
    r"不|别|別|甭|勿|没|沒|未|等等|等下|先|算了|取消操作|"
    r"\b(?:no|not|don'?t|dont|never|wait|hold|later|stop|nope|nah)\b",
    re.I,
)
_YES_WITH_NO = re.compile(
    r"没问题|沒問題|没错|沒錯|没事|不用谢|不客气|不想(?:要|续|再)|不再|不续|不需要(?:了|这)|"
    r"why not|no problem|no worries",
    re.I,
)
"""Words of consent that hold a word of holding back."""

_QUESTION = re.compile(
    r"[?？]|吗|嗎|呢|为什么|為什麼|为啥|怎么|怎麼|什么|什麼|多少|几|哪|啥|"
    r"\b(?:why|what|when|how|which|where|who|will|does|can|could)\b",
    re.I,
)
_NOT_THIS = re.compile(
    r"不是(?:这|這|那|它|他|说这|說這)|不对[，, ]|not (?:this|that) (?:one|charge|order)?|not that|wrong one",
    re.I,
)
_FILLER = re.compile(
    r"[\s\W_]+|那|这|這|笔|筆|个|個|条|條|单|單|的|是|了|我|说|說|问|問|要|吧|啊|呀|不|对|對|元|块|错|錯|订|訂|号|號|"
    r"\b(?:the|one|that|this|no|not|it'?s|its|is|i|mean|mean[st]?|of|from|on|for|charge|order|number)\b",
    re.I,
)
_PLACES = (
    ("一1", "first|1st"),
    ("二2", "second|2nd"),
    ("三3", "third|3rd"),
    ("四4", "fourth|4th"),
    ("五5", "fifth|5th"),
)


def _place(digits: str, english: str) -> str:
    return rf"第[{digits}](?!\d|天|次|期|月)|^\s*[{digits}]\s*[.。号號]?\s*$|\b(?:the )?(?:{english})\b"


_ORDINALS: tuple[tuple[re.Pattern[str], int], ...] = (
    *((re.compile(_place(*place), re.I), index) for index, place in enumerate(_PLACES)),
    (re.compile(r"最后[一那]|最後[一那]|最下面|\b(?:the )?last (?:one|of)\b", re.I), -1),
)
"""The words for a place in a list of choices, and the place."""


class Understanding:
    """Reads a turn in the light of the dialogue. ``now`` is the shop's clock."""

    def __init__(
        self, classifier: Classifier, is_yes: Callable[[str], bool], is_no: Callable[[str], bool]
    ) -> None:
        self._classifier = classifier
        self._is_yes, self._is_no = is_yes, is_no

    def understand(
        self,
        messages: Sequence[Entry],
        readings: Sequence[Reading],
        hint: Hint | None,
        dialogue: Dialogue,
        records: Records,
        now: datetime,
    ) -> Meant:
        text = "\n".join(m.text.strip() for m in messages if m.text.strip())
        said = clues_in(text, records, now.date())
        reference = _reference(said, text, readings, dialogue)
        language = language_of(text, readings, dialogue)

        if option := _chosen(text, dialogue.options):
            return self._pick(option, dialogue, reference, language)

        pending = dialogue.proposal(now)
        match = self._intent(text, said, readings, hint, dialogue)
        settled = self._settle(text, match, pending, said, readings)
        if isinstance(settled, Confirmed):
            match = IntentMatch("affirm", max(match.confidence, SURE_YES))
        elif isinstance(settled, Declined):
            match = IntentMatch("deny", max(match.confidence, SURE_YES))
        return Meant(
            match=match,
            language=language,
            reference=reference,
            settled=settled,
            keeps_proposal=pending is not None and match.intent in COURTESIES and not readings,
            unclear=settled is None and match.confidence < SURE,
        )

    def _pick(self, option: Option, dialogue: Dialogue, reference: Reference, language: Language) -> Meant:
        intent = option.intent or dialogue.intent or "check_order"
        return Meant(IntentMatch(intent, 1.0), language, replace(reference, chosen=option.ref))

    def _intent(
        self,
        text: str,
        said: SaidClues,
        readings: Sequence[Reading],
        hint: Hint | None,
        dialogue: Dialogue,
    ) -> IntentMatch:
        page_asks = _page_asks(readings)
        if not text:
            return _without_words(page_asks, hint)
        match = self._classifier.classify(text, dialogue.last_bot)
        goes_on = _goes_on(text, said, match, dialogue)
        if goes_on:
            return IntentMatch(goes_on, 0.9, (Alternative(match.intent, match.confidence),))
        return _weighed(match, page_asks, hint)

    def _settle(
        self,
        text: str,
        match: IntentMatch,
        pending: Proposal | None,
        said: SaidClues,
        readings: Sequence[Reading],
    ) -> Settled:
        """A yes has to be plain: no picture, no other record named, no question, no word of holding back."""
        if pending is None or readings or not text:
            return None
        if self._is_yes(text):
            return Confirmed(pending)
        if self._is_no(text) or (match.intent == "deny" and not said.clues):
            return Declined(pending)
        if said.clues.numbers or said.clues.times:
            return None
        says_yes = match.intent == "affirm" and match.confidence >= SURE_YES
        demands_it = match.intent == pending.intent and match.confidence >= SURE_YES and len(text) <= 24
        plain = not _QUESTION.search(text) and not _HOLD.search(_YES_WITH_NO.sub("", text))
        return Confirmed(pending) if (says_yes or demands_it) and plain else None


def _reference(said: SaidClues, text: str, readings: Sequence[Reading], dialogue: Dialogue) -> Reference:
    shown = max(
        (clues_of(r) for r in readings), key=lambda c: len(c.numbers) + len(c.amounts), default=NO_CLUES
    )
    earlier = clues_of(dialogue.reading) if dialogue.reading and not readings else NO_CLUES
    reference = Reference(
        said=said.clues,
        shown=shown,
        about=() if shown else dialogue.about,
        earlier=earlier,
    )
    return without_about(reference) if _NOT_THIS.search(text) and not readings else reference


def _chosen(text: str, options: Sequence[Option]) -> Option | None:
    """The choice that a text picks, by its label or its place."""
    if not options:
        return None
    for option in options:
        if text.strip() == option.label:
            return option
    for pattern, index in _ORDINALS:
        if pattern.search(text) and index < len(options):
            return options[index]
    return None


def _page_asks(readings: Sequence[Reading]) -> IntentName | None:
    for reading in readings:
        status = reading.first("payment_status")
        if reading.page == "payment_result" and status and status.value != "success":
            return "fix_payment_failure"
        if asks := PAGE_ASKS.get(reading.page):
            return asks
    return None


def _without_words(page_asks: IntentName | None, hint: Hint | None) -> IntentMatch:
    if page_asks:
        return IntentMatch(page_asks, 0.6)
    if hint:
        return IntentMatch(hint.intent, min(hint.confidence, 0.6))
    return IntentMatch("out_of_scope", 0.0)


def _goes_on(text: str, said: SaidClues, match: IntentMatch, dialogue: Dialogue) -> IntentName | None:
    """The intent before, where a text does no more than name another record: 不是这个，是昨天那笔."""
    only_names = not _FILLER.sub("", said.rest)
    corrects = bool(_NOT_THIS.search(text)) and match.intent in ("deny", "affirm", "out_of_scope")
    weak = match.confidence < SURE and bool(said.clues)
    return dialogue.intent if said.clues and (only_names or corrects or weak) else None


def _weighed(match: IntentMatch, page_asks: IntentName | None, hint: Hint | None) -> IntentMatch:
    """The words, with what the picture makes likely; the sum of all confidences stays the same."""
    scores = {match.intent: match.confidence} | {a.intent: a.confidence for a in match.alternatives}
    rest = max(0.0, 1.0 - sum(scores.values()))
    for likely, weight in (
        (page_asks, PAGE_WEIGHT),
        (hint.intent if hint else None, 1 + (hint.confidence if hint else 0)),
    ):
        if likely:
            scores[likely] = max(scores.get(likely, 0.0), 0.05) * (1 + weight)
    total = sum(scores.values()) + rest
    ranked = sorted(((i, round(s / total, 4)) for i, s in scores.items()), key=lambda pair: -pair[1])
    (best, confidence), *others = ranked
    return IntentMatch(best, confidence, tuple(Alternative(i, c) for i, c in others[:3]))


_HAN = re.compile(r"[㐀-鿿豈-﫿]")
_LATIN = re.compile(r"[A-Za-z]{2,}")


def language_of(text: str, readings: Sequence[Reading], dialogue: Dialogue) -> Language:
    """The customer's language and script: by the text, else as before, else by the picture."""
    if _HAN.search(text):
        return _script_of(text, dialogue)
    if _LATIN.search(text) and not (dialogue.last and len(text) <= 3):
        return Language.EN
    if dialogue.last:
        return dialogue.last.language
    shown = next((r.language for r in readings if r.language), None)
    return Language.EN if shown == "en" else Language.ZH_HANS


def _script_of(text: str, dialogue: Dialogue) -> Language:
    """Traditional by a character that only Traditional has; a text of neither script goes on as before."""
    if _simplified().convert(text) != text:
        return Language.ZH_HANT
    neutral = _traditional().convert(text) == text
    before = dialogue.last.language if dialogue.last else Language.ZH_HANS
    return before if neutral and before is not Language.EN else Language.ZH_HANS


@cache
def _simplified() -> Any:
    from opencc import OpenCC

    return OpenCC("t2s")


@cache
def _traditional() -> Any:
    from opencc import OpenCC

    return OpenCC("s2t")
