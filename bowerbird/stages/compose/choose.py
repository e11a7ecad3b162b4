"""Which hits go into the room that is left: floors first, then shares, then by rank; each with its reason in words.

It takes hits as it finds them, best first; what was in the last context has an advantage. It knows no delimiters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bowerbird.stages.compose.fill import Filling, allotments
from bowerbird.stages.compose.pieces import Contents, Piece, content_of, record_of
from bowerbird.stages.compose.shorten import MOST_CHARACTERS, shortened
from bowerbird.types import Block, Hit, LeftOut, replace

__all__ = ["Choice"]

_USEFUL = 40  # tokens: a shorter piece of a long record is not worth its delimiters
_TRIES = 4  # records of a turn that are tried to be shortened: each try is counted anew, as it hangs on the question
_CRUMBS = 8  # tokens: with less than this left nothing more is tried


class Choice:
    """One turn's choice. Made, run and dropped within the turn.

    `old`: the blocks of the conversation's last context by (record id, version). `margin`: the advantage of a record that
    stands in it, as a part of the spread of this turn's scores.
    """

    def __init__(
        self,
        hits: Sequence[Hit],
        query: str,
        contents: Contents,
        filling: Filling,
        old: Mapping[tuple[int, int], Block],
        margin: float,
        shorten: bool,
        pinned: Sequence[Piece],
    ) -> None:
        self.query, self.contents, self.filling, self.shorten = query, contents, filling, shorten
        self.ranks = {hit.id: rank for rank, hit in enumerate(hits, 1)}
        self.kept = {hit.id: block for hit in hits if (block := old.get((hit.id, record_of(hit).version))) is not None}
        self.twins = {contents.key(piece.hit): piece.hit for piece in pinned}
        self.tries = _TRIES
        self.chosen: list[Piece] = []
        self.same: list[tuple[Hit, Hit]] = []
        self.why_not: dict[int, tuple[str, int]] = {}
        inside = {piece.hit.id for piece in pinned}
        bonus = margin * (max(hit.score for hit in hits) - min(hit.score for hit in hits)) if hits else 0.0
        waiting = [hit for hit in hits if hit.id not in inside]
        waiting.sort(key=lambda hit: (-hit.score - (bonus if hit.id in self.kept else 0.0), hit.id not in self.kept, self.ranks[hit.id]))
        # What stays keeps the span it was shown with, so that its bytes stay.
        self.waiting = [replace(hit, span=self.kept[hit.id].hit.span) if hit.id in self.kept else hit for hit in waiting]
        self.contents.look_ahead(self.waiting)

    def run(self, floors: Mapping[str, int], shares: Mapping[str, float]) -> tuple[list[Piece], list[LeftOut]]:
        """What goes in, and what does not."""
        for kind, floor in floors.items():
            self.waiting = [
                hit
                for hit in self.waiting
                if not (
                    record_of(hit).kind == kind
                    and self.filling.spent.get(kind, 0) < floor
                    and self._settled(hit, self.filling.left, f"fills {kind}'s floor", "the budget", True)
                )
            ]
        if shares:
            self._by_share(shares)
        why = "from what others left" if shares else "within the budget"
        last = self.waiting[-1:]
        self.waiting = [hit for hit in self.waiting if not self._settled(hit, self.filling.left, why, "the budget", hit is not last[0])]
        left_out = [LeftOut(hit, *self.why_not.get(hit.id, ("the budget is used up", 0))) for hit in self.waiting]
        left_out += [LeftOut(hit, f"same text as {record_of(twin).name}") for hit, twin in self.same]
        return self.chosen, sorted(left_out, key=lambda out: self.ranks[out.hit.id])

    def _by_share(self, shares: Mapping[str, float]) -> None:
        wants: dict[str, int] = dict(self.filling.spent)
        for hit in self.waiting:
            low, high = hit.span or (0, len(record_of(hit).text))
            # Three characters a token and some delimiters: rather too much, for what is not used flows on anyway.
            wants[record_of(hit).kind] = wants.get(record_of(hit).kind, 0) + (high - low) // 3 + 30
        given = allotments(self.filling.budget, shares, wants)

        def settled(hit: Hit) -> bool:
            kind = record_of(hit).kind
            mine = kind in shares
            pool = [kind] if mine else [other for other in wants if other not in shares]
            left = given[kind] - sum(self.filling.spent.get(other, 0) for other in pool)
            name = f"{kind}'s share" if mine else "the share of the other kinds"
            return self._settled(hit, left, f"within {name}", name, True)

        self.waiting = [hit for hit in self.waiting if not settled(hit)]

    def _settled(self, hit: Hit, allowance: int, reason: str, limit: str, others: bool) -> bool:
        """Whether the hit is decided: in (whole or shortened), or a twin of one that is. Otherwise `why_not` says what it failed."""
        if self.filling.left < _CRUMBS:
            return False
        record = record_of(hit)
        frame = self.contents.frame(record)
        below = self.filling.below_ceiling(record.kind)
        room = min(allowance, self.filling.left, below) - frame
        hopeless = room < _USEFUL and self.contents.long(hit, room)  # spares rendering the many that come when all is spent
        key = "" if hopeless else self.contents.key(hit)
        if key in self.twins and not hopeless:
            self.same.append((hit, self.twins[key]))
            return True
        size = None if hopeless else self.contents.size(hit, room)
        shown, content = hit, ""
        if size is not None and size <= room:
            content = self.contents.text(hit)
        elif self.shorten and (found := self._cut(hit, min(room, max(_USEFUL, room // 2)) if others else room)):
            shown, content, size = found
            low, high = shown.span or (0, 0)
            reason += f"; shortened to characters {low:,} to {high:,} of {len(record.text):,}"
        else:
            if record.kind in self.filling.ceilings and below <= min(allowance, self.filling.left):
                limit = f"{record.kind}'s ceiling of {self.filling.ceilings[record.kind]:,} tokens"
            needs = "it is far too long" if size is None else f"it needs {size + frame:,} tokens"
            self.why_not[hit.id] = (f"{limit}: {needs}, {max(0, room + frame):,} are left", 0 if size is None else size + frame)
            return False
        self.twins[key] = hit
        self.filling.spend(record.kind, size + frame)
        stays = "; kept from the last turn" if hit.id in self.kept else ""
        why = f"{_ranked(self.ranks[hit.id], hit)}; {reason}{stays}"
        self.chosen.append(Piece(shown, content, size + frame, why, self.ranks[hit.id], self.kept.get(hit.id)))
        return True

    def _cut(self, hit: Hit, room: int) -> tuple[Hit, str, int] | None:
        """The hit with a shorter span, its content and size; None when no useful part fits into `room` tokens."""
        if room < _USEFUL or self.tries == 0:
            return None
        self.tries -= 1
        record = record_of(hit)
        start, end = hit.span or (0, len(record.text))
        characters = min(int(room * self.contents.characters_a_token(hit)), MOST_CHARACTERS)
        for _ in range(4):
            span = shortened(record.text, start, end, self.query, characters)
            if span is None:
                return None
            content = content_of(record, span)
            size = self.contents.count([content])[0]
            if size <= room:
                return replace(hit, span=span), content, size
            characters = min(int(characters * 0.95 * room / size), characters - 1)
        return None


def _ranked(rank: int, hit: Hit) -> str:
    """`rank 1 by rrf 0.0328 (dense 0.61, bm25 12.3)`"""
    if not hit.scores:
        return f"rank {rank}, score {hit.score:.3g}"
    *before, (last, score) = hit.scores.items()
    told = f" ({', '.join(f'{name} {value:.3g}' for name, value in before)})" if before else ""
    return f"rank {rank} by {last} {score:.3g}{told}"
