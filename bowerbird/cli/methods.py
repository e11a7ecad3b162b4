"""`bowerbird methods`: every part that a pipeline, a bower or an `add` can name, with its settings and where it comes from."""

from __future__ import annotations

import inspect
import re
import textwrap
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bowerbird.cli.call import Call, Out
from bowerbird.errors import UnknownName

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import RenderableType

__all__ = ["methods"]

_GROUPS = ("encoders", "stores", "llms", "sources")
_ROLES = ("gate", "rewrite", "retrieve", "fuse", "rerank", "refine", "compose", "read", "critique")
_PAPER = re.compile(r"\s*\(([A-Z][^()]*\b(?:19|20)\d\d\b[^()]*|[^()]*arXiv[^()]*)\)")


def methods(
    call: Call,
    name: Annotated[str | None, typer.Argument(help="A stage, encoder, store, model, source or kind: show all of it.")] = None,
    role: Annotated[str | None, typer.Option("--role", "-r", help="Only stages of this role, such as rerank.")] = None,
) -> Out:
    """List every stage, with its settings and its source, and every other part that can be named.

    Stages come by role, with the default of every setting; then encoders, stores, models, sources and kinds.

    \b
    Examples:
      bowerbird methods
      bowerbird methods --role rerank
      bowerbird methods budget
      bowerbird methods --json | jq -r .stages[].name
    """
    stages = _stages()
    parts = {group: _parts(group) for group in _GROUPS}
    kinds = _kinds()
    roles = [known for known in _ROLES if any(stage["role"] == known for stage in stages)]
    roles += sorted({stage["role"] for stage in stages} - set(roles))
    if role is not None:
        if role not in roles:
            raise UnknownName("role", role, roles)
        stages, parts, kinds = [stage for stage in stages if stage["role"] == role], {}, []
    if name is not None:
        return _one(name, [*stages, *(row for rows in parts.values() for row in rows), *kinds])

    def shown() -> Iterable[RenderableType]:
        from rich.text import Text

        from bowerbird.cli.view import table

        for known in roles:
            rows = [stage for stage in stages if stage["role"] == known]
            if rows:
                made = table(known, "settings", "about", "source", wrap=("settings", "about", "source"))
                for stage in rows:
                    settings = ", ".join(f"{key}={value!r}" for key, value in stage["settings"].items())
                    made.add_row(stage["name"], settings, stage["about"], stage["source"])
                yield made
        for group, listed in {**parts, "kinds": kinds}.items():
            if listed:
                made = table(group, "about", wrap=("about",))
                for row in listed:
                    made.add_row(row["name"], row["about"])
                yield made
        yield Text("One of them in full: bowerbird methods NAME. Stages are joined with >>: dbsf(bm25, dense) >> budget", style="dim")

    return Out({"stages": stages, **parts, "kinds": kinds}, shown)


def _one(name: str, rows: list[dict[str, Any]]) -> Out:
    chosen = [row for row in rows if row["name"] == name]
    if not chosen:
        raise UnknownName("part", name, {row["name"] for row in rows})

    def shown() -> Iterable[RenderableType]:
        from rich.text import Text

        from bowerbird.cli.view import pairs

        for row in chosen:
            yield Text(f"{row['name']} · {row.get('role', row.get('group'))}", style="bold")
            yield row["doc"]
            yield pairs((f"  {key}", f"default {value!r}") for key, value in row.get("settings", row.get("fields", {})).items())

    return Out({"parts": chosen}, shown)


def _stages() -> list[dict[str, Any]]:
    from dataclasses import MISSING

    from bowerbird import table
    from bowerbird.stage import default_of, settings

    rows = []
    for name in table.names("stages"):
        cls = table.load("stages", name)
        given = {field.name: default_of(field) for field in settings(cls)}
        rows.append(
            {
                "name": name,
                "role": cls.role,
                "settings": {key: "(needed)" if value is MISSING else _plain(value) for key, value in given.items()},
                **_about(cls),
            }
        )
    return rows


def _parts(group: str) -> list[dict[str, Any]]:
    from bowerbird import table

    return [{"name": name, "group": group, **_about(table.load(group, name))} for name in sorted(table.names(group))]


def _kinds() -> list[dict[str, Any]]:
    from bowerbird.kinds import kinds

    return [
        {"name": row.name, "group": "kinds", "about": row.about, "source": "", "doc": row.about, "fields": dict(row.fields)}
        for row in kinds().values()
    ]


def _about(cls: type) -> dict[str, str]:
    """The first sentence of a part's docstring, the paper that it names (its module's when it names none), and all of it."""
    doc = inspect.cleandoc(cls.__doc__ or "")
    module = inspect.cleandoc(getattr(inspect.getmodule(cls), "__doc__", None) or "")
    paper = _PAPER.search(doc) or _PAPER.search(module)
    first = re.split(r"(?<=\.)\s|\n\n", _PAPER.sub("", doc or module), maxsplit=1)[0]
    source = re.sub(r"\s+", " ", paper[1]) if paper else ""
    return {"about": textwrap.shorten(first, 160, placeholder="…"), "source": source, "doc": doc}


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
