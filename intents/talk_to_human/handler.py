"""Get the customer a person."""

from bot.domain.intent import Ask, Outcome, intent


@intent("talk_to_human")
async def call_a_person(ask: Ask) -> Outcome:
    return ask.hand_off("asked")
