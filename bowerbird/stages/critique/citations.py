"""`citations`: drops and counts citations that the cited record does not bear out, and takes their marks out of the answer.

Support is lexical or by embedding: it knows whether a record speaks of the same things with the same numbers. It does not
know entailment: a record that says the opposite in the same words passes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from bowerbird.errors import InvalidInput
from bowerbird.kinds import kind
from bowerbird.ports import Encoder
from bowerbird.roles import Critique
from bowerbird.sentences import sentences
from bowerbird.stage import part
from bowerbird.stages.read.marks import cited, without
from bowerbird.stages.read.quote import bare
from bowerbird.stages.words import best_window, share, words
from bowerbird.types import Answer, Block, Citation, Turn, replace

__all__ = ["Citations"]

_SENTENCES = 12  # of a record that are embedded for one claim: those that share most words with it


@dataclass(frozen=True, slots=True)
class _Claim:
    """A cited sentence beside its record."""

    citation: Citation
    text: str
    block: Block
    spans: tuple[tuple[int, int], ...]
    share: float
    numbers: bool


@dataclass(frozen=True)
class Citations(Critique):
    """A citation holds when every number of its sentence stands in the record and either the sentence shares at least `lexical` of its
    content words with a window of up to two sentences there, or its cosine to one sentence there is at least `dense`.

    Those that do not hold, and marks of records that the context does not have, go to `Answer.dropped`; `support` becomes
    the larger of share and cosine, 0 where a number is missing. Without an encoder the words decide alone; with one, one call
    embeds the sentences of the batch. A number in the record's other fields (title, output, profile) counts as being there.

    Agreement with people (`python benchmarks/citations.py`, words alone, the default chosen on these same sets): balanced accuracy
    0.81 on BEGIN (dev, 1,229 answers: 98 % of what holds is kept, 48 % of what is kept holds) and 0.84 on WiCE (dev, whole pages,
    158 claims: 77 % and 96 %). The cosine is a second chance for other wording, no more.
    """

    name: ClassVar[str] = "citations"
    lexical: float = 0.5
    dense: float = 0.75
    encoder: Encoder | None = part("encoder", optional=True)

    def __post_init__(self) -> None:
        if not 0 <= self.lexical <= 1 or not 0 <= self.dense <= 1:
            raise InvalidInput(f"citations: lexical={self.lexical!r} and dense={self.dense!r} must be from 0 to 1.")

    def critique(self, turns: Sequence[Turn]) -> list[tuple[Answer, Mapping[str, Any]]]:
        claims = [self._claims(turn) for turn in turns]
        cosines = self._cosines([claim for of_turn in claims for claim in of_turn])
        judged = []
        at = 0
        for turn, of_turn in zip(turns, claims, strict=True):
            judged.append(self._judged(turn, of_turn, cosines[at : at + len(of_turn)]))
            at += len(of_turn)
        return judged

    def _claims(self, turn: Turn) -> list[_Claim]:
        blocks = {block.mark: block for block in turn.context.blocks} if turn.context else {}
        answer = turn.answer
        claims = []
        for citation in answer.citations if answer else ():
            block = blocks.get(citation.mark)
            if block is None or block.hit.record is None or answer is None:
                continue
            record = block.hit.record
            if (record.key, record.version) != (citation.key, citation.version):
                continue
            text = bare(answer.text[citation.start : citation.end], blocks)
            said = words(text)
            start, end = block.hit.span or (0, len(record.text))
            window = best_window(said, record.text, start, end)
            # Title, output, profile and the like are shown with the text, and a sentence may rest on them alone.
            shown = words(kind(record.kind).show(replace(record, text=record.text[window.start : window.end])))
            spans = [(low, high) for low, high, _ in sentences(record.text, start, end)]
            spans = sorted(spans, key=lambda span: -share(said, words(record.text[span[0] : span[1]])))[:_SENTENCES]
            whole = words(kind(record.kind).show(replace(record, text=record.text[start:end])))
            found = replace(citation, record_span=(window.start, window.end))
            claims.append(_Claim(found, text, block, tuple(spans), share(said, shown), said.numbers <= whole.numbers))
        return claims

    def _cosines(self, claims: Sequence[_Claim]) -> list[tuple[float, tuple[int, int]]]:
        """For each claim the best cosine to a sentence of its record, and which; one encoder call for all whose words leave it open."""
        nothing = [(0.0, claim.citation.record_span) for claim in claims]
        open_ones = [
            i for i, claim in enumerate(claims) if claim.numbers and claim.share < self.lexical and claim.spans and claim.text.strip()
        ]
        if self.encoder is None or not open_ones:
            return nothing
        texts: dict[str, int] = {}
        for i in open_ones:
            record = claims[i].block.hit.record
            assert record is not None
            for text in (claims[i].text, *(record.text[low:high] for low, high in claims[i].spans)):
                texts.setdefault(text, len(texts))
        vectors = self.encoder.encode(list(texts))
        for i in open_ones:
            record = claims[i].block.hit.record
            assert record is not None
            rows = vectors[[texts[record.text[low:high]] for low, high in claims[i].spans]] @ vectors[texts[claims[i].text]]
            best = int(rows.argmax())
            nothing[i] = float(rows[best]), claims[i].spans[best]
        return nothing

    def _judged(
        self, turn: Turn, claims: Sequence[_Claim], cosines: Sequence[tuple[float, tuple[int, int]]]
    ) -> tuple[Answer, Mapping[str, Any]]:
        answer = turn.answer
        assert answer is not None
        kept: list[Citation] = []
        dropped: list[Citation] = []
        for claim, (cosine, span) in zip(claims, cosines, strict=True):
            by_words = claim.share >= self.lexical
            holds = claim.numbers and (by_words or cosine >= self.dense)
            support = min(1.0, max(0.0, claim.share, cosine)) if claim.numbers else 0.0
            place = claim.citation.record_span if by_words or cosine < self.dense else span
            (kept if holds else dropped).append(replace(claim.citation, support=support, record_span=place))
        checked = {(one.citation.mark, one.citation.start) for one in claims}
        dropped += [replace(one, support=0.0) for one in answer.citations if (one.mark, one.start) not in checked]
        marks = {block.mark for block in turn.context.blocks} if turn.context else set()
        falling = {(one.mark, one.start) for one in (*answer.dropped, *dropped)}
        sentence = {(one.mark, one.at[0]): one.start for one in cited(answer.text, marks)}
        text, now = without(answer.text, lambda mark, at: (mark, sentence[mark, at]) in falling, marks)
        told = {"citations": len(kept), "dropped": len(answer.dropped) + len(dropped), "unknown_marks": len(answer.dropped)}

        def moved(citations: Sequence[Citation]) -> tuple[Citation, ...]:
            return tuple(replace(one, start=now(one.start), end=now(one.end)) for one in citations)

        return replace(answer, text=text, citations=moved(kept), dropped=moved([*answer.dropped, *dropped])), told
