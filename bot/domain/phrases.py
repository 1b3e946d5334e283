"""The small words by which people hold back, ask, point and choose, in Chinese and English.

They only ever narrow what the classifier thinks: a yes that holds one of them is no plain yes.
"""

import re
from collections.abc import Mapping

from bot.domain.vocabulary import ActionName

_HOLD = re.compile(
    r"不|别|別|甭|勿|没|沒|未|唔|冇|等等|等下|等一|先|算了|取消|留着|留著|保留|明天|以后|以後|下次|改天|回头|到时|到時"
    r"|有问题|有問題|\b(?:no|not|don'?t|never|wait|hold|later|stop|nope|nah|keep|leave|tomorrow|next time|problem)\b",
    re.I,
)
_UNLESS = re.compile(
    r"但|不过|不過|如果|要是|除非|另外|另一|其他|其它|全部|所有|都|\b(?:but|if|unless|until|after|other|another|both|all)\b",
    re.I,
)
_YES_WITH_NO = re.compile(
    r"没问题|沒問題|没错|沒錯|没事|沒事|冇問題|唔该|唔該|不用谢|不用謝|不客气|不客氣|不想(?:要|续|續|再)|不再|不(?:要)?[续續]了?"
    r"|不需要(?:了|这|這)|all right|\bno(?:t a)? problem|no worries|why not|don'?t (?:need|want) it",
    re.I,
)
"""Words of consent that hold a word of holding back."""

_STOP = r"[\s,，.。、!！~～…]"
_CONSENT = re.compile(
    rf"(?:^|{_STOP})(?:好|行|对|對|要|需要|是|得|係|嗯|恩|中)+[的了啊呀吧啦喔哦咯嘞滴呢嘅]*"
    rf"(?=$|{_STOP}|谢|謝|多谢|多謝|唔该|唔該|麻)"
    r"|好的|好[呀啊吧嘅啦]|可以|嗯嗯|是的|对的|對的|確定|确定|确认|確認|同意|没问题|沒問題|没错|沒錯|冇問題|麻烦[您你]|麻煩[您你]"
    r"|拜托|拜託|安排|就这样|就這樣|这样吧|這樣吧|听你的|聽你的|处理吧|處理吧|办吧|辦吧|👌|👍"
    r"|\b(?:y|yes|yeah|yep|yup|sure|ok|okay|please|go ahead|do (?:it|so|that)|absolutely|of course|definitely)\b"
    r"|\b(?:confirm|confirmed|right|correct|fine|agree|agreed|sounds good|all ?right|why not|no problem)\b",
    re.I | re.A,
)
_ACTS: Mapping[ActionName, re.Pattern[str]] = {
    "stop_auto_renewal": re.compile(
        r"(?:[关關停]|取消|退订|退訂|解约|解約)[闭閉掉了咗]*"
        r"|\b(?:turn(?: (?:it|that|this))? off|switch(?: it)? off|cancel|stop|disable|unsubscribe)\b",
        re.I | re.A,
    ),
    "request_refund": re.compile(r"退[款钱錢了吧]*|\brefund\b", re.I),
    "cancel_order": re.compile(r"取消[掉了]*|\bcancel\b", re.I),
    "open_return": re.compile(r"[退换換]货?貨?|\b(?:return|exchange)\b", re.I),
    "change_address": re.compile(r"[改换換][成到]?|\b(?:change|update)\b", re.I),
    "send_invoice": re.compile(r"[发發寄开開]|\bsend\b", re.I),
}
"""The words for doing what was proposed: they are a yes to it."""

_POLITE = re.compile(
    r"谢谢|謝謝|多谢|多謝|唔该|唔該|请|請|帮忙|幫忙|[帮幫给給](?:我|下)?|麻烦|麻煩|您|你|佢|它|那就|就|现在|現在|马上|馬上|立刻|一下"
    r"|自动续费|自動續費|续费|續費|续了|續了|晒|呀|啦|哦|喔|噢|咯|嘛"
    r"|\b(?:thanks?|thank you|please|can|could|you|for|me|my|now|it|that|then|just|the|off|auto|renewal)\b"
    r"|\bsubscription\b",
    re.I,
)
_QUESTION = re.compile(
    r"[?？]|吗|嗎|呢|咩|为什么|為什麼|为啥|為啥|怎么|怎麼|[什甚]么|[什甚]麼|乜|边个|邊個|边度|邊度|点解|點解|多少|几|幾|哪|啥|怎样|怎樣|如何|是不是|会不会|會不會"
    r"|\b(?:why|what|what's|when|how|which|where|who)\b"
    r"|\b(?:will|does|is|can|could|would|did)\s+(?:i|it|that|this|my|they|there)\b",
    re.I,
)
_ANOTHER = re.compile(
    r"另外?[一那]|另外的|还有[一那]|還有[一那]|其[他它]的?[那笔筆个個呢]?|别的|別的"
    r"|\b(?:the other|another)(?: one)?\b",
    re.I,
)
_NOT_THIS = re.compile(
    r"不是(?:这|這|那|它|他|说这|說這)|唔係(?:呢|嗰)|不对[，, ]|不對[，, ]"
    r"|\bnot (?:this|that)\b|\bwrong (?:one|charge|order)\b|\bi (?:mean|meant)\b",
    re.I,
)
_POINTS = re.compile(
    r"这|這|那(?=[个個笔筆张張单單条條件])|它|此|呢个|呢個|呢筆|嗰|\b(?:this|that|it|these|those)\b|图|圖|\bpicture|\bscreenshot",
    re.I,
)
_FOLLOWS_ON = re.compile(r"呢[?？~\s]*$|^(?:and|what about|how about)\b", re.I)
_FILLER = re.compile(
    r"[\s\W_]+|那|这|這|嗰|呢|笔|筆|个|個|条|條|张|張|单|單|的|嘅|是|係|了|我|说|說|问|問|要|吧|啊|呀|唔|不|对|對"
    r"|元|块|塊|错|錯|订|訂|号|號|选|選|就|有|在"
    r"|\b(?:the|one|that|this|no|not|it'?s|its|is|was|i|mean|meant|of|from|on|for|in|about|what|charge|order|number"
    r"|please|sorry|actually|s)\b",
    re.I,
)


def agrees(text: str) -> bool:
    """Whether a text holds a word of consent."""
    return bool(_CONSENT.search(text))


def consents(text: str, action: ActionName) -> bool:
    """Whether a text holds a word of consent, or the word for what was proposed."""
    return agrees(text) or names_the_act(text, action)


def names_the_act(text: str, action: ActionName) -> bool:
    """Whether a text holds the word for what was proposed."""
    return bool(_ACTS[action].search(text))


def is_bare_yes(text: str, action: ActionName) -> bool:
    """Whether a text is made of consent, of the word for what was proposed, and of politeness alone."""
    rest = text
    for words in (_YES_WITH_NO, _CONSENT, _ACTS[action], _POLITE, _FILLER):
        rest = words.sub(" ", rest)
    return consents(text, action) and not rest.strip() and not is_question(text)


def holds_back(text: str, action: ActionName) -> bool:
    """先别, not yet: also beside a yes."""
    return bool(_HOLD.search(_ACTS[action].sub("", _YES_WITH_NO.sub("", text))))


def is_conditional(text: str) -> bool:
    """但是, 另外那个也, if: there is more to this yes than a yes."""
    return bool(_UNLESS.search(_YES_WITH_NO.sub("", text)))


def is_question(text: str) -> bool:
    return bool(_QUESTION.search(text))


def is_not_this(text: str) -> bool:
    """不是这个, 另一个: what was spoken of is not what is meant."""
    return bool(_NOT_THIS.search(text)) or means_another(text)


def means_another(text: str) -> bool:
    """另外那个, the other one."""
    return bool(_ANOTHER.search(text))


def points(text: str) -> bool:
    """这个, that one: at what lies on the table."""
    return bool(_POINTS.search(text))


def follows_on(text: str) -> bool:
    """那我自己的呢, what about mine: the same question of something else."""
    return bool(_FOLLOWS_ON.search(text))


def says_nothing_more(rest: str) -> bool:
    """Whether a text without its clues has no word left that asks for anything."""
    return not _FILLER.sub("", rest)


_PLACES = (
    ("一1", "first|1st"),
    ("二2", "second|2nd"),
    ("三3", "third|3rd"),
    ("四4", "fourth|4th"),
    ("五5", "fifth|5th"),
)
_LONGEST_CHOICE = 16
"""Characters of Chinese, or of English words' first letters, beyond which an ordinal is just a word."""


def _place(digits: str, english: str) -> str:
    counted = rf"第[{digits}](?!\d|天|次|期|月|回)[个個笔筆条條张張项項]?"
    return rf"{counted}|^\s*[{digits}]\s*[.。号號]?\s*$|^(?:\w+\s+){{0,3}}(?:{english})\b"


_ORDINALS: tuple[tuple[re.Pattern[str], int], ...] = (
    *((re.compile(_place(*place), re.I), index) for index, place in enumerate(_PLACES)),
    (re.compile(r"最后[一那]|最後[一那]|最下面|^(?:\w+\s+){0,3}last (?:one|of)\b", re.I), -1),
)
_EXCEPT = re.compile(r"都不|除了|以外|\bneither\b|\bnone\b|\bexcept\b", re.I)


def place_in(text: str, places: int) -> int | None:
    """第二个, the last one: which of so many choices a short text picks, counted from 0."""
    if len(re.sub(r"[a-z'\s]+", " ", text.lower())) > _LONGEST_CHOICE or len(text.split()) > 8:
        return None
    if _EXCEPT.search(text):
        return None
    for pattern, place in _ORDINALS:
        if pattern.search(text) and place < places:
            return place % places
    return None
