"""Say hello, and what the bot can do."""

from bot.domain.intent import Ask, Outcome, intent


@intent("greet")
async def greet(ask: Ask) -> Outcome:
    return ask.say("reply")
