"""What people see: tables of hits and records, contexts with the reason for every line, answers with what bears them out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from rich import box
from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from bowerbird.cli.call import clean
from bowerbird.types import FOREVER, Block, Citation, Context, Hit, LeftOut, Record, Turn

__all__ = ["answered", "assembled", "day", "listed", "pairs", "record", "snippet", "table"]

_LEFT_OUT = 3  # shown one by one


def table(*columns: str, right: Sequence[str] = (), wrap: Sequence[str] = ()) -> Table:
    """An empty table. `right`: columns of numbers; `wrap`: columns that take what room is left."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for name in columns:
        loose = name in wrap
        ratio = (2 if "text" in name else 1) if loose else None
        made.add_column(name, justify="right" if name in right else "left", no_wrap=name in right, ratio=ratio, overflow="fold")
    return made


def pairs(rows: Iterable[tuple[str, object]]) -> Table:
    """Names and what they are, in two columns."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True, style="bold")
    grid.add_column()
    for name, value in rows:
        grid.add_row(clean(name), clean(str(value)))
    return grid


def snippet(text: str, most: int = 110) -> str:
    """The beginning of `text` on one line."""
    line = re.sub(r"\s+", " ", text[: 4 * most]).strip()
    return clean(line if len(line) <= most and len(text) <= 4 * most else f"{line[: most - 1].rstrip()}…")


def day(seconds: float | None) -> str:
    """A moment as people write it, UTC; "—" where there is none."""
    if seconds is None or seconds <= 0 or seconds >= FOREVER:
        return "—"
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


# --- hits and records -------------------------------------------------------------------------------------------------


def found(hits: Sequence[Hit]) -> Table:
    """Hits with rank, the score of every stage, kind, key and how they begin."""
    names = _stages(hits)
    made = table("#", "kind", "key", *names, "text", right=("#", *names), wrap=("text",))
    for rank, hit in enumerate(hits, 1):
        known = _known(hit)
        made.add_row(str(rank), known.kind, clean(known.key), *_scores(hit, names), snippet(hit.text or _fields(known)))
    return made


def listed(records: Sequence[Record]) -> Table:
    """Records by key."""
    made = table("kind", "key", "v", "since", "text", right=("v",), wrap=("text",))
    for record in records:
        gone = record.superseded is not None
        text = Text(snippet(record.text or _fields(record)), style="dim" if gone else "")
        made.add_row(record.kind, Text(clean(record.key), style="dim" if gone else ""), str(record.version), day(record.created), text)
    return made


def record(record: Record) -> Iterator[RenderableType]:
    """All of one record."""
    yield Text(f"{clean(record.name)} · {record.kind}", style="bold")
    rows: list[tuple[str, object]] = [("scope", record.scope), ("trust", record.trust), ("since", day(record.created))]
    if record.valid_from > 0 or record.valid_to < FOREVER:
        rows.append(("valid", f"{day(record.valid_from)} to {day(record.valid_to)}"))
    if record.supersedes:
        rows.append(("supersedes", ", ".join(record.supersedes)))
    if record.superseded is not None:
        rows.append(("superseded", f"{day(record.superseded)} by {record.superseded_by}"))
    if record.source:
        rows.append(("source", record.source))
    rows += [(f"  {name}", value) for name, value in record.fields.items()]
    yield pairs(rows)
    if record.text:
        yield Padding(clean(record.text), (1, 0, 0, 0))


# --- contexts and answers ---------------------------------------------------------------------------------------------


def assembled(turn: Turn) -> Iterator[RenderableType]:
    """The context of a turn: each block with where it is from, every stage's score, its tokens and why; and what was left out."""
    if turn.decision is not None and not turn.decision.retrieve:
        yield Text(f"Nothing was looked up: {clean(turn.decision.why)}", style="yellow")
    context = turn.context
    if context is None:
        yield Text("This pipeline composes no context.", style="yellow")
        return
    yield from _blocks(context.blocks)
    for left in context.left_out[:_LEFT_OUT]:
        yield Text(f"  left out: {_left(left)}", style="dim")
    if len(context.left_out) > _LEFT_OUT:
        yield Text(f"  left out: {len(context.left_out) - _LEFT_OUT} more (all of them with --json)", style="dim")
    dropped = 0
    for step in turn.trace:
        before, after = step.info.get("from"), step.info.get("hits")
        if step.role in ("rerank", "refine") and isinstance(before, int) and isinstance(after, int) and after < before:
            dropped += before - after
            yield Text(f"  left out: {before - after} of {before} found, by {clean(step.stage)}", style="dim")
    yield Text(f"  {_sums(context, dropped)}", style="bold")


def _blocks(blocks: Sequence[Block]) -> Iterator[RenderableType]:
    # Lines rather than columns: keys, scores and reasons are to be read whole on a terminal of 80 columns.
    for block in blocks:
        known = _known(block.hit)
        head = Text(f"{block.mark}{' pinned' if block.pinned else ''} {known.kind} ", style="bold")
        head.append(clean(known.name), style="cyan")
        origin = _origin(known)
        if origin:
            head.append(f"  {clean(origin)}", style="not bold dim")
        yield head
        scores = [f"{name} {_number(score)}" for name, score in block.hit.scores.items()]
        why = re.sub(r" \([^()]*\)", "", block.why)  # the scores in brackets stand beside it already
        yield Padding(Text(clean(" · ".join([*scores, f"{block.tokens:,} tokens", why])), style="green"), (0, 0, 0, 4))
        yield Padding(snippet(block.hit.text or _fields(known), 140), (0, 0, 0, 4))


def answered(turn: Turn) -> Iterator[RenderableType]:
    """The answer, what bears it out, and how many citations did not hold."""
    answer = turn.answer
    if answer is None:
        yield Text("This pipeline writes no answer.", style="yellow")
        return
    if answer.text:
        yield Padding(clean(answer.text), (1, 2))
    elif answer.abstained:
        yield Text("Nothing kept here bears on this question.", style="yellow")
    if answer.citations:
        made = table("", "record", "characters", "support", "it says", right=("support",), wrap=("it says",))
        for citation in answer.citations:
            start, end = citation.record_span
            made.add_row(
                citation.mark,
                clean(f"{citation.key}@{citation.version}"),
                f"{start}–{end}",
                f"{citation.support:.2f}",
                _said(turn, citation),
            )
        yield made
    if answer.dropped:
        marks = ", ".join(dict.fromkeys(citation.mark for citation in answer.dropped))
        yield Text(f"  {len(answer.dropped)} citation(s) dropped, the record does not say so: {marks}", style="yellow")
    by = f"{'answered by' if answer.text else 'no answer from'} {answer.model}" if answer.model else "without a language model"
    yield Text(f"  {by} · turn {turn.id}", style="dim")


def _said(turn: Turn, citation: Citation) -> str:
    for block in turn.context.blocks if turn.context else ():
        known = _known(block.hit)
        if (known.key, known.version, block.mark) == (citation.key, citation.version, citation.mark):
            return snippet(known.text[slice(*citation.record_span)] or block.text)
    return ""


def _sums(context: Context, dropped: int) -> str:
    """`dropped`: by stages before the composer."""
    kept = context.prefix_tokens_kept
    parts = [
        f"{context.tokens:,} of {context.budget:,} tokens ({context.tokenizer})",
        f"{len(context.blocks)} in, {len(context.left_out) + dropped} left out",
    ]
    if kept is not None:
        parts.append(f"{kept:,} prefix tokens kept")
    return " · ".join(parts)


def _left(left: LeftOut) -> str:
    known = left.hit.record
    scores = ", ".join(f"{name} {_number(score)}" for name, score in left.hit.scores.items())
    return clean(f"{f'{known.kind} {known.key}' if known else left.hit.id} ({scores}): {left.why}")


# --- pieces -----------------------------------------------------------------------------------------------------------


def _known(hit: Hit) -> Record:
    return hit.record if hit.record is not None else Record(f"#{hit.id}", "?", "")


def _origin(record: Record) -> str:
    """Where a record came from, in few words."""
    title = record.fields.get("path") or record.fields.get("title") or record.fields.get("module")
    source = (record.source or "").partition(":")[0]
    return " ".join(str(part) for part in (source, title) if part and str(part) not in record.key)


def _stages(hits: Sequence[Hit]) -> list[str]:
    return list(dict.fromkeys(name for hit in hits for name in hit.scores))


def _scores(hit: Hit, names: Sequence[str]) -> list[str]:
    return [_number(hit.scores[name]) if name in hit.scores else "·" for name in names]


def _number(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 10 else f"{value:,.1f}"


def _fields(record: Record) -> str:
    return ", ".join(f"{name}: {value}" for name, value in record.fields.items())
