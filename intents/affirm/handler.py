"""A yes to nothing: whatever was asked has been settled or has lapsed."""

from bot.domain.intent import Ask, Outcome, intent


@intent("affirm")
async def affirm(ask: Ask) -> Outcome:
    return ask.say("reply")
