"""A gate that was trained on what retrieval changed: it lets through the queries and kinds that outside help is likely to help with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bowerbird.components.gate import NeedGate
from bowerbird.kinds import kinds
from bowerbird.ports import Encoder, Trained
from bowerbird.roles import Gate
from bowerbird.stage import part
from bowerbird.types import Decision, Turn

__all__ = ["LearnedGate"]


@dataclass(frozen=True)
class LearnedGate(Gate):
    """Retrieves the kinds to which the published gate of the turn's scope gives at least their threshold; everything where none is
    published, or where it is of another encoder, and says so. A kind that the gate was not trained on passes, also where the turn names
    no kind: then all kinds there are but those it holds back stay. What an earlier gate held back stays back.

    After adaptive retrieval by a classifier of the question (Jeong et al., Adaptive-RAG, arXiv 2403.14403, section 3.2). Differs: a
    logistic function of a frozen encoder's vector in place of a language model, and labels from rewards with and without retrieval.
    Cost: one encoder call for the batch's distinct queries where a gate serves, else nothing.
    """

    name: ClassVar[str] = "learned_gate"
    encoder: Encoder | None = part("encoder", optional=True)
    trained: Trained | None = part("trained", optional=True)

    def decide(self, turns: Sequence[Turn]) -> list[Decision]:
        gates = {turn.scope: None if self.trained is None else self.trained.component("gate", turn.scope) for turn in turns}
        fits = [turn for turn in turns if turn.retrieves and self._fits(gates[turn.scope])]
        texts = list(dict.fromkeys(turn.query for turn in fits))
        rows = {text: row for row, text in enumerate(texts)}
        vectors = self.encoder.encode(texts) if texts and self.encoder is not None else None
        done = []
        for turn in turns:
            gate: NeedGate | None = gates[turn.scope]
            if turn.decision is not None and not turn.retrieves:
                done.append(turn.decision)
            elif gate is None:
                done.append(Decision(True, "no gate is published for this scope"))
            elif vectors is None or not self._fits(gate):
                done.append(Decision(True, f"the gate is for {gate.encoder}, the encoder is {self.encoder.id if self.encoder else None}"))
            else:
                row = rows[turn.query]
                done.append(_decided(gate, gate.chances(vectors[row : row + 1], [turn.query])[0], turn))
        return done

    def _fits(self, gate: NeedGate | None) -> bool:
        return gate is not None and self.encoder is not None and gate.encoder == self.encoder.id


def _decided(gate: NeedGate, chances: NDArray[np.float32], turn: Turn) -> Decision:
    """What the chances say of the kinds that are asked for (none = all there are)."""
    before = turn.decision.kinds if turn.decision else ()
    asked = before or turn.kinds
    known = {kind: place for place, kind in enumerate(gate.kinds) if not asked or kind in asked}
    passed = [kind for kind, place in known.items() if chances[place] >= gate.thresholds[place]]
    held_back = known.keys() - set(passed)
    wanted = tuple(kind for kind in asked or kinds() if kind not in held_back)
    said = [f"{kind} with a chance of {chances[place]:.2f} ({gate.thresholds[place]:.2f} is asked for)" for kind, place in known.items()]
    why = f"retrieval helps: {', '.join(said)}" if said else "the gate was trained on none of these kinds"
    return Decision(bool(wanted), why, wanted if held_back else before)
