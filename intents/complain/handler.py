"""Listen, say sorry, and get a person who can put it right."""

from bot.domain.intent import Ask, Outcome, intent


@intent("complain")
async def complain(ask: Ask) -> Outcome:
    return ask.hand_off("angry")
