"""What a vision-language model has to answer: its JSON schema, and from its answer to Readings."""

import json
from collections.abc import Sequence
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from adapters.readers.forms import CLOSED, LONGEST, MONEY, TIME, UNIT, one_line, unit_in_form, value_in_form
from bot.domain.reading import Box, Fact, Hint, Picture, Reading, Seen
from bot.domain.vocabulary import (
    FACTS,
    INTENTS,
    MONEY_FACTS,
    PAGES,
    TIME_FACTS,
    FactName,
    Flag,
    IntentName,
    Page,
    PageLanguage,
)

Certainty = Literal["low", "mid", "high"]
CONFIDENCE: dict[Certainty, float] = {"low": 0.4, "mid": 0.7, "high": 0.95}
FULL = 1000
"""The width and the height of a picture, in the model's coordinates."""


class BadAnswer(Exception):
    """The answer is not in form; the message is for the model."""


# --- What it has to answer ----------------------------------------------------------------------------


def schema(pictures: int, max_facts: int) -> dict[str, Any]:
    """The JSON schema of an answer about so many pictures, for servers that hold a model to it."""
    picture = _object(
        page=_one_of(PAGES),
        language=_or_null(_one_of(get_args(PageLanguage))),
        facts={"type": "array", "maxItems": max_facts, "items": {"anyOf": _facts()}},
        flags={"type": "array", "maxItems": 3, "items": _one_of(get_args(Flag))},
    )
    hint = _object(name=_one_of(INTENTS), confidence=_one_of(get_args(Certainty)))
    return _object(
        pictures={"type": "array", "minItems": pictures, "maxItems": pictures, "items": picture},
        intent=_or_null(hint),
    )


def _facts() -> list[dict[str, Any]]:
    """One form for each kind of value, so that a name and its value fit together."""
    free = [name for name in FACTS if name not in MONEY_FACTS | TIME_FACTS | CLOSED.keys()]
    text = {"type": "string", "minLength": 1, "maxLength": LONGEST}
    no_unit = {"type": "null"}
    return [
        _fact(sorted(MONEY_FACTS), _matching(MONEY), _or_null(_matching(UNIT))),
        _fact(sorted(TIME_FACTS), _matching(TIME), no_unit),
        *(_fact([name], _one_of(words), no_unit) for name, words in CLOSED.items()),
        _fact(free, text, no_unit),
    ]


def _fact(names: list[FactName], value: dict[str, Any], unit: dict[str, Any]) -> dict[str, Any]:
    place = {"type": "integer", "minimum": 0, "maximum": FULL}
    return _object(
        name=_one_of(names),
        value=value,
        unit=unit,
        text={"type": "string", "minLength": 1, "maxLength": LONGEST},
        box=_or_null({"type": "array", "minItems": 4, "maxItems": 4, "items": place}),
        confidence=_one_of(get_args(Certainty)),
        group=_or_null({"type": "integer", "minimum": 0, "maximum": 99}),
    )


def _object(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _one_of(words: Any) -> dict[str, Any]:
    return {"type": "string", "enum": list(words)}


def _or_null(form: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [form, {"type": "null"}]}


def _matching(pattern: str) -> dict[str, Any]:
    return {"type": "string", "pattern": f"^{pattern}$"}


# --- What it answered ---------------------------------------------------------------------------------


class _Lenient(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _SaidFact(_Lenient):
    name: FactName
    value: str
    unit: str | None = None
    text: str | None = None
    box: tuple[float, float, float, float] | None = None
    confidence: Certainty = "mid"
    group: int | None = None

    @field_validator("value", mode="before")
    @classmethod
    def _as_text(cls, value: Any) -> Any:
        return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value

    @field_validator("box", "unit", "text", "group", mode="wrap")
    @classmethod
    def _or_none(cls, value: Any, handler: Any) -> Any:
        try:
            return handler(value)
        except ValidationError:
            return None


class _SaidPicture(_Lenient):
    page: Page
    language: str | None = None
    facts: list[Any] = Field(default_factory=list)
    flags: list[Any] = Field(default_factory=list)


class _SaidIntent(_Lenient):
    name: IntentName
    confidence: Certainty = "mid"


class _Said(_Lenient):
    pictures: list[_SaidPicture]
    intent: Any = None


def parse(text: str, pictures: Sequence[Picture], reader: str, ms: float) -> Seen:
    """Facts out of form are dropped; where the whole is out of form, raises BadAnswer."""
    try:
        said = _Said.model_validate(_json(text))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(step) for step in first["loc"])
        raise BadAnswer(f"{place}: {first['msg']}") from error
    if len(said.pictures) != len(pictures):
        raise BadAnswer(f'"pictures" has {len(said.pictures)} entries and needs {len(pictures)}')
    readings = tuple(
        _reading(one, picture, reader, ms) for one, picture in zip(said.pictures, pictures, strict=True)
    )
    return Seen(readings=readings, hint=_hint(said.intent))


def _json(text: str) -> Any:
    """The object in an answer: thoughts before it, fences around it, and raw tabs in strings do no harm."""
    text = text.rpartition("</think>")[2]
    start, end = text.find("{"), text.rfind("}")
    if start < 0 or end < start:
        raise BadAnswer("there is no complete JSON object")
    try:
        return json.loads(text[start : end + 1], strict=False)
    except (ValueError, RecursionError) as error:
        raise BadAnswer("it is not valid JSON") from error


def _reading(said: _SaidPicture, picture: Picture, reader: str, ms: float) -> Reading:
    facts = (_read(fact, picture) for fact in said.facts)
    flags = {flag for flag in said.flags if isinstance(flag, str)}
    return Reading(
        page=said.page,
        language=next((known for known in get_args(PageLanguage) if known == said.language), None),
        facts=tuple(fact for fact in facts if fact),
        flags=tuple(flag for flag in get_args(Flag) if flag in flags),
        reader=reader,
        ms=ms,
    )


def _read(said: Any, picture: Picture) -> Fact | None:
    try:
        fact = _SaidFact.model_validate(said)
    except ValidationError:
        return None
    value = value_in_form(fact.name, fact.value)
    if value is None:
        return None
    return Fact(
        name=fact.name,
        value=value,
        unit=unit_in_form(fact.name, fact.unit),
        text=one_line(fact.text or "") or value,
        box=_pixels(fact.box, picture),
        confidence=CONFIDENCE[fact.confidence],
        group=fact.group,
    )


def _pixels(box: tuple[float, float, float, float] | None, picture: Picture) -> Box:
    """A box in pixels; the whole picture where the model gave none, so that a mask never falls short."""
    everything = (0, 0, picture.width, picture.height)
    if box is None or not all(0 <= place <= FULL for place in box):
        return everything
    left, right = sorted((round(box[0] * picture.width / FULL), round(box[2] * picture.width / FULL)))
    top, bottom = sorted((round(box[1] * picture.height / FULL), round(box[3] * picture.height / FULL)))
    return (left, top, right, bottom) if left < right and top < bottom else everything


def _hint(said: Any) -> Hint | None:
    try:
        hint = _SaidIntent.model_validate(said)
    except ValidationError:
        return None
    return Hint(intent=hint.name, confidence=CONFIDENCE[hint.confidence])
