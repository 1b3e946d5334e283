"""Take thanks."""

from bot.domain.intent import Ask, Outcome, intent


@intent("thank")
async def thank(ask: Ask) -> Outcome:
    return ask.say("reply")
