"""The small words by which people hold back, ask, point and choose, in Chinese and English.

They only ever narrow what the classifier thinks: a yes that holds one of them is no plain yes.
"""

import re

_HOLD = re.compile(
    r"不|别|別|甭|勿|没|沒|未|唔|冇|等等|等下|等一|先|算了|取消操作|明天|以后|以後|下次|改天|回头|到时|到時"
    r"|\b(?:no|not|don'?t|never|wait|hold|later|stop|nope|nah|tomorrow|next time)\b",
    re.I,
)
_UNLESS = re.compile(
    r"但|不过|不過|如果|要是|除非|另外|另一|其他|其它|全部|所有|都|\b(?:but|if|unless|until|after|other|another|both|all)\b",
    re.I,
)
_YES_WITH_NO = re.compile(
    r"没问题|沒問題|没错|沒錯|没事|沒事|冇問題|唔该|唔該|不用谢|不用謝|不客气|不客氣|不想(?:要|续|續|再)|不再|不续|不續|不要续|不要續"
    r"|不需要(?:了|这|這)|all right|not? problem|no worries|why not|don'?t (?:need|want) it",
    re.I,
)
"""Words of consent that hold a word of holding back."""

_QUESTION = re.compile(
    r"[?？]|吗|嗎|呢|咩|为什么|為什麼|为啥|為啥|怎么|怎麼|[什甚]么|[什甚]麼|乜|边个|邊個|边度|邊度|点解|點解|多少|几|幾|哪|啥|是不是|会不会|會不會"
    r"|\b(?:why|what|what's|when|how|which|where|who)\b"
    r"|\b(?:will|does|do|is|can|could|would)\s+(?:i|it|that|this|my|they|there)\b",
    re.I,
)
_ANOTHER = re.compile(
    r"另外?[一那]|另外的|其[他它]的?[那笔筆个個呢]?|别的|別的|\b(?:the other|another)(?: one)?\b", re.I
)
_NOT_THIS = re.compile(
    r"不是(?:这|這|那|它|他|说这|說這)|唔係(?:呢|嗰)|不对[，, ]|不對[，, ]"
    r"|\bnot (?:this|that)\b|\bwrong (?:one|charge|order)\b|\bi (?:mean|meant)\b",
    re.I,
)
_POINTS = re.compile(
    r"这|這|那|它|此|呢个|呢個|呢筆|嗰|\b(?:this|that|it|these|those)\b|图|圖|\bpicture|\bscreenshot", re.I
)
_FILLER = re.compile(
    r"[\s\W_]+|那|这|這|嗰|呢|笔|筆|个|個|条|條|张|張|单|單|的|嘅|是|係|了|我|说|說|问|問|要|吧|啊|呀|唔|不|对|對"
    r"|元|块|塊|错|錯|订|訂|号|號|选|選|就|有|在"
    r"|\b(?:the|one|that|this|no|not|it'?s|its|is|was|i|mean|meant|of|from|on|for|in|about|what|charge|order|number"
    r"|please|sorry|actually|s)\b",
    re.I,
)


def holds_back(text: str) -> bool:
    """先别, not yet: also beside a yes."""
    return bool(_HOLD.search(_YES_WITH_NO.sub("", text)))


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
