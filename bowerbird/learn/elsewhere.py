"""Questions of all sorts, of which a bower answers few: by what they score, a threshold on a score keeps its meaning for them."""

from __future__ import annotations

__all__ = ["QUESTIONS"]

_ASKED = """
    who wrote {}|when did {} begin|how many people know {}|why do people like {}|what is the history of {}|where can I read about {}
    what does {} cost|who discovered {}|what is {} made of|tell me a story about {}|translate {} into Italian|is {} dangerous
    how do I explain {} to a child|what is the law on {}|which country is known for {}|who is the most famous name in {}
    how old is {}|what happened to {} last year|what colour is {}|how do I get rid of {}
    """
_SUBJECTS = """
    the moon|violins|the flu|sourdough bread|the French revolution|tulips|a heat pump|the world cup|bees|the opera
    my first teacher|ice ages|rivers|the electron|fences|good gifts|dragons|train tickets|the old bridge|cats
    """


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.strip().replace("\n", "|").split("|")]


QUESTIONS = tuple(question.format(subject) for question in _listed(_ASKED) for subject in _listed(_SUBJECTS))
"""400: each of 20 questions asked of each of 20 subjects."""
