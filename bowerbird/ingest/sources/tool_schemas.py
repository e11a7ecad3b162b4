"""Tools from their schemas: OpenAI functions (nested and flat) and an MCP `tools/list` result.

Both are a name, a description and a JSON schema of the arguments; only the names of the parts differ. They claim no
suffix: name the format. They do not call a server: save what it answered, or give it in memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from bowerbird.errors import BowerbirdError, InvalidInput
from bowerbird.ingest.source import Failure, as_record
from bowerbird.ingest.sources.json_schema import resolved
from bowerbird.ingest.sources.jsonl import json_rows, load_json
from bowerbird.kinds import checked_fields, kind
from bowerbird.types import Record

__all__ = ["McpTools", "OpenAITools"]


class _Schemas:
    suffixes: ClassVar[tuple[str, ...]] = ()

    def __init__(self, *, kind: str | None = None, mapping: Mapping[str, str] | None = None) -> None:
        if mapping:
            raise InvalidInput(f"A tool schema has fixed parts, so it takes no mapping ({', '.join(mapping)}).")
        self._kind = kind or "tool"

    def read(self, path: Path, name: str) -> Iterator[Record | Failure]:
        """The tools of a JSON document, or of JSON Lines with one tool a line. Raises `InvalidInput` for what is neither."""
        if path.name.lower().removesuffix(".gz").endswith((".jsonl", ".ndjson")):
            rows = json_rows(path)
            yield from self._tools(((row.name, row) if isinstance(row, Failure) else (row.place, row.cells) for row in rows), name, "")
        else:
            yield from self.records(load_json(path), name)

    def records(self, value: Any, name: str) -> Iterator[Record | Failure]:
        """The tools of a list of schemas, of an object that holds such a list, or of one schema."""
        raise NotImplementedError

    def _tools(self, schemas: Iterable[tuple[str, Any]], name: str, server: str) -> Iterator[Record | Failure]:
        seen: dict[str, str] = {}
        for place, schema in schemas:
            if isinstance(schema, Failure):
                yield schema
                continue
            try:
                record = self._tool(schema, server)
            except BowerbirdError as error:
                yield Failure(place, str(error))
                continue
            if record.key in seen:
                yield Failure(place, f"has the name {record.key!r} of {seen[record.key]}, which is kept.")
                continue
            seen[record.key] = place
            yield record

    def _tool(self, schema: Any, server: str) -> Record:
        raise NotImplementedError

    def _record(self, schema: Any, server: str, parameters: str, more: Mapping[str, Any]) -> Record:
        if not isinstance(schema, Mapping):
            raise InvalidInput(f"is {type(schema).__name__} {schema!r:.60}, not a tool schema.")
        called = schema.get("name")
        if not isinstance(called, str) or not called.strip():
            raise InvalidInput(f"is a tool without a name; it has {', '.join(map(str, schema)) or 'nothing'}.")
        arguments = schema.get(parameters)
        if arguments is not None and not isinstance(arguments, Mapping):
            raise InvalidInput(f"tool {called!r}: {parameters!r} is {type(arguments).__name__}, not a JSON schema.")
        about = schema.get("description") or schema.get("title") or ""
        if not isinstance(about, str):
            raise InvalidInput(f"tool {called!r}: the description is {type(about).__name__}, not text.")
        # A schema's own $defs are its document; a reference that leads nowhere stays readable as a description.
        own = resolved(arguments, arguments, []) if arguments else None
        if isinstance(own, dict):
            own = {part: inner for part, inner in own.items() if part not in ("$defs", "definitions", "$schema")}
        fields = checked_fields(kind(self._kind), {"name": called, "parameters": own, "server": server or None, **more})
        return as_record({"key": f"{server}/{called}" if server else called, "kind": self._kind, "text": about.strip(), "fields": fields})


class OpenAITools(_Schemas):
    """`{"type": "function", "function": {...}}`, `{"type": "function", "name": ...}` and the bare function; key = name."""

    def records(self, value: Any, name: str) -> Iterator[Record | Failure]:
        if isinstance(value, Mapping):
            listed = next((value[part] for part in ("tools", "functions") if isinstance(value.get(part), list)), None)
            value = [value] if listed is None else listed
        if not isinstance(value, (list, tuple)):
            raise InvalidInput(f"{name}: tools are a list of function schemas or an object with 'tools'; got {type(value).__name__}.")
        yield from self._tools(((f"tool {number}", schema) for number, schema in enumerate(value, 1)), name, "")

    def _tool(self, schema: Any, server: str) -> Record:
        if isinstance(schema, Mapping) and isinstance(schema.get("function"), Mapping):
            schema = schema["function"]
        return self._record(schema, server, "parameters", {})


class McpTools(_Schemas):
    """The answer to `tools/list`, with or without its JSON-RPC envelope; key = server/name.

    The server's name is `serverInfo.name` or `server` beside the tools, else what the file is called.
    """

    def records(self, value: Any, name: str) -> Iterator[Record | Failure]:
        server = Path(name).stem
        if isinstance(value, Mapping):
            if isinstance(value.get("error"), Mapping):
                raise InvalidInput(f"{name}: the server answered with an error: {value['error'].get('message', value['error'])}.")
            result = value.get("result", value)
            info = next((part for part in (value, result) if isinstance(part, Mapping) and ("serverInfo" in part or "server" in part)), {})
            named = info.get("server") or (info["serverInfo"].get("name") if isinstance(info.get("serverInfo"), Mapping) else None)
            server = named if isinstance(named, str) else server
            if isinstance(result, Mapping) and result.get("nextCursor"):
                yield Failure(
                    "nextCursor", f"the list goes on after these tools: ask the server again with cursor {result['nextCursor']!r}."
                )
            value = result.get("tools") if isinstance(result, Mapping) else result
        if not isinstance(value, (list, tuple)):
            raise InvalidInput(f"{name}: the answer to tools/list is an object with a list 'tools'; got {type(value).__name__}.")
        yield from self._tools(((f"tool {number}", schema) for number, schema in enumerate(value, 1)), name, server)

    def _tool(self, schema: Any, server: str) -> Record:
        more = {"returns": schema.get("outputSchema"), "annotations": schema.get("annotations")} if isinstance(schema, Mapping) else {}
        return self._record(schema, server, "inputSchema", more)
