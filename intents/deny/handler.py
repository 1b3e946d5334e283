"""A no to nothing: there is nothing that it could stop."""

from bot.domain.intent import Ask, Outcome, intent


@intent("deny")
async def deny(ask: Ask) -> Outcome:
    return ask.say("reply")
