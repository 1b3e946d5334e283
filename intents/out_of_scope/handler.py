"""Say what the bot is here for."""

from bot.domain.intent import Ask, Outcome, intent


@intent("out_of_scope")
async def out_of_scope(ask: Ask) -> Outcome:
    return ask.say("reply")
