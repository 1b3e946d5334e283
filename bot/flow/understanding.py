"""Text, pictures and the dialogue so far -> what is asked, and whether the pending action is settled."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from bot.domain.clues import NO_CLUES, SaidClues, clues_in, clues_of, clues_of_all, plain
from bot.domain.intent import Alternative, Confirmed, Declined, IntentMatch, Meant, Settled
from bot.domain.matching import Reference, exactly, fits, without_about
from bot.domain.message import Entry
from bot.domain.phrases import (
    agrees,
    consents,
    follows_on,
    holds_back,
    is_bare_yes,
    is_conditional,
    is_not_this,
    is_question,
    means_another,
    names_the_act,
    place_in,
    points,
    says_nothing_more,
)
from bot.domain.ports import Classifier
from bot.domain.reading import Hint, Reading
from bot.domain.records import Records
from bot.domain.session import COURTESIES, Dialogue, Option, Proposal
from bot.domain.vocabulary import IntentName, Language, Page
from bot.flow.language import language_of

SURE = 0.45
"""Below this the customer is asked rather than guessed at."""

SURE_OF_OWN = 0.3
"""The same where the text names one of the customer's own records: it is about that, whatever it asks."""

SURE_BESIDE_A_BLANK = 0.6
"""The same beside a picture that names nothing: 看看这个 may be about anything."""

SURE_YES = 0.6
"""A yes sets something in motion, so it has to be plainer."""

LONGEST_YES = 40
"""Characters beyond which a text says more than yes."""

SURE_OF_NOTHING = 0.8
"""From here on a text beside a picture is taken to be none of the shop's business."""

_NO_ASK: frozenset[IntentName] = frozenset({"affirm", "deny", "out_of_scope"})

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

        if not readings and (option := _chosen(text, dialogue.options)):
            return self._pick(option, dialogue, reference, language)

        match = self._intent(text, said, readings, hint, dialogue, records)
        meant = Meant(match, language, reference, unclear=_unclear(match, said, readings))
        proposal = dialogue.last.proposal if dialogue.last else None
        if proposal and text and not readings:
            return self._answered(text, said, meant, proposal, proposal.stands(now), records)
        return replace(meant, unclear=meant.unclear or _is_no_answer(text, match, dialogue))

    def _answered(
        self, text: str, said: SaidClues, meant: Meant, proposal: Proposal, stands: bool, records: Records
    ) -> Meant:
        """A text after a question for leave: what becomes of the proposal, where the text says anything to it."""
        match = meant.match
        settled, asks_again = self._settle(text, match, proposal, said, records)
        if asks_again or (isinstance(settled, Confirmed) and not stands):
            another = is_not_this(text) or (said.clues and not _is_of(said, proposal, records))
            target = meant.reference if another else exactly(proposal.action.target, records)
            return Meant(IntentMatch(proposal.intent, match.confidence), meant.language, target)
        if settled is None:
            return replace(meant, keeps_proposal=match.intent in COURTESIES)
        if isinstance(settled, Declined):
            match = IntentMatch("deny", max(match.confidence, SURE_YES))
        elif match.intent != proposal.intent:
            match = IntentMatch("affirm", max(match.confidence, SURE_YES))
        return replace(meant, match=match, settled=settled, unclear=False)

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
        records: Records,
    ) -> IntentMatch:
        page_asks = _page_asks(readings)
        if not text:
            return _without_words(page_asks, hint)
        match = self._classified(text, dialogue)
        if match.intent in _NO_ASK and said.clues.numbers and says_nothing_more(said.rest):
            match = IntentMatch(_asks_of(said.clues.numbers, records), SURE_YES)
        elif match.intent == "out_of_scope" and match.alternatives and said.clues and not said.clues.soft:
            match = _without_the_first(match)  # it names a record of a shop
        goes_on = _goes_on(text, said, match, dialogue)
        if goes_on:
            return IntentMatch(goes_on, 0.9, (Alternative(match.intent, match.confidence),))
        weighed = _weighed(match, page_asks, hint)
        return _without_words(page_asks, hint) if page_asks and _asks_nothing(weighed) else weighed

    def _classified(self, text: str, dialogue: Dialogue) -> IntentMatch:
        """In the light of what the bot said; by itself where that makes no sense of it, or where nothing was
        asked that one could agree to."""
        match = self._classifier.classify(text, dialogue.last_bot)
        sure = match.intent != "out_of_scope" and match.confidence >= SURE
        if dialogue.last_bot is None or (sure and (match.intent != "affirm" or dialogue.has_asked)):
            return match
        alone = self._classifier.classify(text)
        return alone if alone.intent not in _NO_ASK and alone.confidence >= SURE else match

    def _settle(
        self, text: str, match: IntentMatch, proposal: Proposal, said: SaidClues, records: Records
    ) -> tuple[Settled, bool]:
        """What becomes of a proposal; and whether a yes is not plain enough, so that it is asked again.

        A plain yes holds a word of consent, names no record but to have it done to it, asks nothing, sets no
        condition and holds nothing back. The classifier alone is no consent.
        """
        if self._is_yes(text):
            return Confirmed(proposal), False
        if self._is_no(text):
            return Declined(proposal), False
        action = proposal.action.name
        holds = holds_back(text, action)
        of_this = not said.clues or (names_the_act(text, action) and _is_of(said, proposal, records))
        plain = of_this and not (is_question(text) or is_conditional(text) or holds)
        if plain and is_bare_yes(said.rest, action):
            return Confirmed(proposal), False
        if means_another(text) and (match.intent in _NO_ASK or match.confidence < SURE_YES):
            return None, True
        if match.intent == "deny" and not said.clues and not is_question(text):
            return Declined(proposal), False
        if _yes_in(match, proposal) < SURE_YES or len(text) > LONGEST_YES:
            return None, False
        if holds and of_this and match.intent == "affirm":
            return Declined(proposal), False
        if plain and consents(text, action):
            return Confirmed(proposal), False
        return None, match.intent == "affirm"


def _yes_in(match: IntentMatch, proposal: Proposal) -> float:
    """How likely a text asks for what was proposed, in whatever words."""
    likely = {a.intent: a.confidence for a in match.alternatives} | {match.intent: match.confidence}
    return sum(likely.get(intent, 0.0) for intent in ("affirm", "thank", proposal.intent))


def _is_of(said: SaidClues, proposal: Proposal, records: Records) -> bool:
    """Whether what the text names is what was proposed."""
    target = exactly(proposal.action.target, records).chosen
    return target is not None and fits(said.clues, target, records)


def _is_no_answer(text: str, match: IntentMatch, dialogue: Dialogue) -> bool:
    """Whether the bot's question stays open; or a text agrees, without a word of consent, to nothing asked."""
    if dialogue.unclear_in_a_row:
        return match.intent in _NO_ASK
    return match.intent == "affirm" and not dialogue.has_asked and not agrees(text)


def _unclear(match: IntentMatch, said: SaidClues, readings: Sequence[Reading]) -> bool:
    if said.clues.numbers or said.clues.names:
        return match.confidence < SURE_OF_OWN
    blank = bool(readings) and not any(clues_of(reading) for reading in readings)
    return match.confidence < (SURE_BESIDE_A_BLANK if blank else SURE)


def _reference(said: SaidClues, text: str, readings: Sequence[Reading], dialogue: Dialogue) -> Reference:
    shown, before = clues_of_all(readings), dialogue.reading if not readings else None
    earlier = clues_of(before) if before else NO_CLUES
    if dialogue.picture_on_the_table and points(text):
        shown = shown or earlier
    reference = Reference(
        said=said.clues,
        shown=shown,
        about=() if shown else dialogue.about,
        earlier=earlier,
    )
    return without_about(reference) if is_not_this(text) and not readings else reference


def _chosen(text: str, options: Sequence[Option]) -> Option | None:
    """The choice that a text picks, by its label or its place."""
    if not options:
        return None
    for option in options:
        if plain(text) == plain(option.label):
            return option
    place = place_in(text, len(options))
    return None if place is None else options[place]


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
    """The intent before, where a text does no more than name another record, or ask what this one is."""
    names = bool(said.clues) and says_nothing_more(said.rest)
    corrects = is_not_this(text) and match.intent in _NO_ASK and bool(said.clues)
    weak = match.confidence < SURE or (match.intent in ("affirm", "deny") and is_question(text))
    about_this = points(text) and is_question(text)
    asks_on = weak and (bool(said.clues) or means_another(text) or follows_on(text) or about_this)
    return dialogue.intent if names or corrects or asks_on else None


def _asks_of(numbers: frozenset[str], records: Records) -> IntentName:
    """What somebody asks who sends just a number."""
    if any(o.shipment and plain(o.shipment.tracking_no) in numbers for o in records.orders):
        return "track_shipment"
    if any(plain(charge.charge_no) in numbers for charge in records.charges):
        return "explain_charge"
    if any(plain(refund.refund_no) in numbers for refund in records.refunds):
        return "check_refund"
    return "check_order"


def _without_the_first(match: IntentMatch) -> IntentMatch:
    left = 1.0 - match.confidence
    best, *others = (Alternative(a.intent, a.confidence / left) for a in match.alternatives)
    return IntentMatch(best.intent, best.confidence, tuple(others))


def _asks_nothing(match: IntentMatch) -> bool:
    """Whether beside a picture the words are mere company: 您好, 不是我弄的, or anything that is not clear."""
    said_so = match.intent == "out_of_scope" and match.confidence >= SURE_OF_NOTHING
    return match.confidence < SURE or (match.intent in _NO_ASK | COURTESIES and not said_so)


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
