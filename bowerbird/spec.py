"""Specs: the printed form of a pipeline, which parses back to it. `str(parse(text))` is the canonical text.

    small_talk >> dbsf(bm25(k=50), dense(k=50)) >> budget(tokens=1500) >> llm

`>>` chains; a fuser holds the stages it merges; `branch(gate, yes, no)` and `loop(body, times=3, until=gate)` are the
other combinators; everything else is a stage from the tables (`bowerbird methods`) with its settings by name.
Nothing is evaluated: the text is read as syntax, and settings are literals. A spec may run over lines and
hold comments (`# ...`).
"""

from __future__ import annotations

import ast
import math
from dataclasses import MISSING, Field
from typing import Any, TypeVar

from bowerbird import table
from bowerbird.errors import InvalidInput, SpecError, UnknownName
from bowerbird.flow import Branch, Chain, Fan, Loop
from bowerbird.roles import Fuse, Gate
from bowerbird.stage import Leaf, Stage, default_of, settings

__all__ = ["parse"]

_LONGEST = 10_000
_L = TypeVar("_L", bound=Leaf)
_COMBINATORS = ("branch", "loop")


def parse(text: str) -> Stage:
    """The pipeline that `text` describes, unbound. Raises `SpecError` or `UnknownName` and says where."""
    if not isinstance(text, str) or not text.strip():
        raise SpecError(f"A spec is a text such as 'dbsf(bm25, dense) >> budget'; got {text!r}.")
    if len(text) > _LONGEST:
        raise SpecError(f"A spec of {len(text):,} characters; {_LONGEST:,} is the most.")
    try:
        return _stage(_syntax(text), text)
    except (RecursionError, MemoryError) as error:
        raise SpecError(f"Spec of {len(text):,} characters is nested too deeply.") from error


def _syntax(text: str) -> ast.expr:
    try:
        # In parentheses a spec may run over several lines, with comments.
        body = ast.parse(f"({text}\n)", mode="eval").body
    except SyntaxError as error:
        where = f"at line {error.lineno}, character {max((error.offset or 1) - (error.lineno == 1), 1)}"
        raise SpecError(f"Spec {_short(text)} does not parse {where}: {error.msg}.") from error
    except ValueError as error:  # null bytes, halves of surrogate pairs
        raise SpecError(f"Spec {_short(text)} holds characters that cannot stand in one: {error}.") from error
    if isinstance(body, (ast.Call, ast.BinOp)) and body.col_offset == 0 and body.lineno == 1:
        raise SpecError(f"Spec {_short(text)} closes a parenthesis that it did not open.")
    return body


def _short(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 200 else f"{shown[:200]}…"


def _stage(node: ast.expr, text: str) -> Stage:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.RShift):
        return Chain((_stage(node.left, text), _stage(node.right, text)))
    if isinstance(node, ast.Name):
        return _build(node.id, [], [], text)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return _build(node.func.id, node.args, node.keywords, text)
    raise SpecError(f"Spec {_short(text)}: {_short(ast.unparse(node))} is no stage. Stages look like dense(k=50) and are joined with >>.")


def _build(name: str, args: list[ast.expr], keywords: list[ast.keyword], text: str) -> Stage:
    if name in _COMBINATORS:
        return _combinator(name, args, keywords, text)
    known = table.names("stages")
    if name not in known:
        raise UnknownName("stage", name, [*known, *_COMBINATORS])
    cls: type[Leaf] = table.load("stages", name)
    given = {field.name: field for field in settings(cls)}
    chosen: dict[str, Any] = {}
    for keyword in keywords:
        if keyword.arg is None:
            raise SpecError(f"Spec {_short(text)}: '**' has no place in {name}(...).")
        if keyword.arg not in given:
            raise UnknownName(f"setting of {name}", keyword.arg, given)
        if keyword.arg in chosen:
            raise SpecError(f"Spec {_short(text)}: {name} is given {keyword.arg} twice.")
        chosen[keyword.arg] = _value(name, given[keyword.arg], keyword.value)
    if issubclass(cls, Fuse):
        arms = tuple(_stage(arg, text) for arg in args)
        return Fan(arms, _made(cls, chosen))
    if args:
        hint = f" Write {name}({next(iter(given))}={ast.unparse(args[0])})." if given else ""
        raise SpecError(f"Spec {_short(text)}: settings of {name} are given by name.{hint}")
    return _made(cls, chosen)


def _made(cls: type[_L], chosen: dict[str, Any]) -> _L:
    try:
        return cls(**chosen)
    except TypeError as error:
        raise SpecError(f"{cls.name}: {error}.") from error


def _value(stage: str, field: Field[Any], node: ast.expr) -> Any:
    value = _literal(f"{stage}: {field.name}", node)
    default = default_of(field)
    try:
        if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
    except OverflowError as error:
        raise InvalidInput(f"{stage}: {field.name}={_short(value)} is too large.") from error
    if default is not None and default is not MISSING and type(value) is not type(default):
        raise InvalidInput(
            f"{stage}: {field.name} takes {type(default).__name__} (default {default!r}); got {type(value).__name__} {_short(value)}."
        )
    return value


def _literal(what: str, node: ast.expr) -> Any:
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError) as error:
        raise SpecError(f"{what}={_short(ast.unparse(node))} must be a plain value (number, text, list, dict).") from error
    return _frozen(what, value)


def _frozen(what: str, value: Any) -> Any:
    """Lists as tuples, so that stages stay values; a number must be finite, or it would not print and parse back."""
    if isinstance(value, (list, tuple)):
        return tuple(_frozen(what, item) for item in value)
    if isinstance(value, dict):
        return {name: _frozen(what, item) for name, item in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidInput(f"{what}={value} must be a finite number.")
    return value


def _combinator(name: str, args: list[ast.expr], keywords: list[ast.keyword], text: str) -> Stage:
    if name == "branch":
        if len(args) != 3 or keywords:
            raise SpecError(f"Spec {_short(text)}: branch takes three stages: branch(gate, yes, no).")
        gate, yes, no = (_stage(arg, text) for arg in args)
        return Branch(_gate(gate, "branch", text), yes, no)
    if len(args) != 1:
        raise SpecError(f"Spec {_short(text)}: loop takes one stage and settings: loop(body, times=3, until=gate).")
    times, until = 2, None
    for keyword in keywords:
        if sum(other.arg == keyword.arg for other in keywords) > 1:
            raise SpecError(f"Spec {_short(text)}: loop is given {keyword.arg} twice.")
        if keyword.arg == "times":
            times = _literal("loop: times", keyword.value)
        elif keyword.arg == "until":
            until = _gate(_stage(keyword.value, text), "loop", text)
        else:
            raise UnknownName("setting of loop", keyword.arg, ("times", "until"))
    return Loop(_stage(args[0], text), times, until)


def _gate(stage: Stage, where: str, text: str) -> Gate:
    if not isinstance(stage, Gate):
        raise SpecError(f"Spec {_short(text)}: {where} needs a gate (always, never, small_talk) there; {stage} is none.")
    return stage
