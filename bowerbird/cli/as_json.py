"""Values as plain JSON, the same names everywhere: records, hits, turns, answers, reports. Times are seconds since 1970; null = no end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bowerbird.catalog import Version
from bowerbird.ingest.intake import Report
from bowerbird.types import FOREVER, Answer, Citation, Hit, Record, Turn

__all__ = ["answer", "hit", "record", "report", "turn", "version"]


def record(record: Record) -> dict[str, Any]:
    """All of a record."""
    return {
        "key": record.key,
        "kind": record.kind,
        "text": record.text,
        "fields": dict(record.fields),
        "scope": str(record.scope),
        "version": record.version,
        "created": record.created,
        "valid_from": record.valid_from,
        "valid_to": None if record.valid_to >= FOREVER else record.valid_to,
        "supersedes": list(record.supersedes),
        "superseded": record.superseded,
        "superseded_by": record.superseded_by,
        "trust": record.trust,
        "source": record.source,
        "hash": record.hash,
    }


def version(version: Version) -> dict[str, Any]:
    """A version of a record, when it ended and why."""
    return {**record(version.record), "ended": version.ended, "why": version.why}


def hit(hit: Hit) -> dict[str, Any]:
    """A hit: its record, the score of every stage, and the span that is shown."""
    shown = record(hit.record) if hit.record is not None else {"key": None}
    return {**shown, "score": hit.score, "scores": dict(hit.scores), "span": list(hit.span) if hit.span else None}


def turn(turn: Turn) -> dict[str, Any]:
    """A turn: the question, the context block by block, what was left out, the answer if there is one, and every stage's step."""
    context = turn.context
    found: dict[str, Any] = {
        "turn": turn.id,
        "query": turn.query,
        "scope": str(turn.scope),
        "decision": None if turn.decision is None else {"retrieve": turn.decision.retrieve, "why": turn.decision.why},
        "trace": [{"stage": step.stage, "role": step.role, "seconds": step.seconds, "info": _plain(step.info)} for step in turn.trace],
    }
    if context is not None:
        found["context"] = {
            "tokens": context.tokens,
            "budget": context.budget,
            "tokenizer": context.tokenizer,
            "prefix_tokens_kept": context.prefix_tokens_kept,
            "blocks": [
                {
                    **hit(block.hit),
                    "mark": block.mark,
                    "shown": block.text,
                    "tokens": block.tokens,
                    "why": block.why,
                    "pinned": block.pinned,
                }
                for block in context.blocks
            ],
            "left_out": [{**_named(left.hit), "why": left.why, "tokens": left.tokens} for left in context.left_out],
            "messages": [message.as_dict() for message in context.messages],
            "text": context.text,
        }
    if turn.answer is not None:
        found["answer"] = answer(turn.answer)
    return found


def answer(answer: Answer) -> dict[str, Any]:
    """An answer, the citations that hold and those that were dropped."""
    return {
        "text": answer.text,
        "abstained": answer.abstained,
        "model": answer.model,
        "citations": [_citation(citation) for citation in answer.citations],
        "dropped": [_citation(citation) for citation in answer.dropped],
    }


def report(report: Report) -> dict[str, Any]:
    """What an `add` did."""
    return {
        "added": report.added,
        "updated": report.updated,
        "unchanged": report.unchanged,
        "removed": report.removed,
        "units": report.units,
        "skipped": report.skipped,
        "failures": report.failures,
        "failed": [{"name": failure.name, "why": failure.why} for failure in report.failed],
        "note": report.note,
    }


def _citation(citation: Citation) -> dict[str, Any]:
    return {
        "mark": citation.mark,
        "answer_span": [citation.start, citation.end],
        "key": citation.key,
        "kind": citation.kind,
        "version": citation.version,
        "record_span": list(citation.record_span),
        "support": citation.support,
    }


def _named(hit: Hit) -> dict[str, Any]:
    known = hit.record
    about = {"key": known.key, "kind": known.kind, "version": known.version} if known else {"key": None, "kind": None, "version": None}
    return {**about, "score": hit.score, "scores": dict(hit.scores)}


def _plain(info: Mapping[str, Any]) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in info.items()}
