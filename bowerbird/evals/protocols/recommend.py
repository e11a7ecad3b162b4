"""`recommend`: `rank` over a catalogue, without what a person has already, and with measures of what is shown beyond the gold."""

from __future__ import annotations

from typing import ClassVar

from bowerbird.evals.protocols.rank import Rank

__all__ = ["Recommend"]


class Recommend(Rank):
    """Every item of the catalogue can be ranked; no candidates are sampled (Krichene and Rendle, KDD 2020)."""

    name: ClassVar[str] = "recommend"
    families: ClassVar[tuple[str, ...]] = ("ranking", "recommendation")
