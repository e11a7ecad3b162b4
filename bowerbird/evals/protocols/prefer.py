"""`prefer`: `classify` where the choices are whether somebody will like a thing; the probability of the first choice is the score."""

from __future__ import annotations

from typing import ClassVar

from bowerbird.evals.protocols.classify import Classify

__all__ = ["Prefer"]


class Prefer(Classify):
    """What a spec finds of the person stands before the question; `AUC` takes the first choice's share of the probability."""

    name: ClassVar[str] = "prefer"
