"""Tools from an OpenAPI 3 document (JSON or YAML): each operation is one tool.

Name: operationId, else method and path. Description: summary and description. Parameters: path, query, header and cookie
parameters and the properties of the JSON request body as one JSON schema (a body that is no object is the argument
`body`). Key: title/name. It calls nothing, fetches no remote reference and knows no security schemes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from bowerbird.errors import BowerbirdError, InvalidInput
from bowerbird.ingest.source import Failure, as_record
from bowerbird.ingest.sources.json_schema import resolved
from bowerbird.ingest.sources.jsonl import LARGEST_DOCUMENT, load_json
from bowerbird.kinds import checked_fields, kind
from bowerbird.types import Record

__all__ = ["OpenAPI"]

_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


class OpenAPI:
    """An OpenAPI 3.0 or 3.1 document. Claims no suffix: name the format."""

    suffixes: ClassVar[tuple[str, ...]] = ()

    def __init__(self, *, kind: str | None = None, mapping: Mapping[str, str] | None = None) -> None:
        if mapping:
            raise InvalidInput(f"An OpenAPI document has fixed parts, so it takes no mapping ({', '.join(mapping)}).")
        self._kind = kind or "tool"

    def read(self, path: Path, name: str) -> Iterator[Record | Failure]:
        """The operations of the document. Raises `InvalidInput` for what is no OpenAPI 3."""
        yield from self.records(_yaml(path) if path.suffix.lower() in (".yaml", ".yml") else load_json(path), name)

    def records(self, value: Any, name: str) -> Iterator[Record | Failure]:
        """The operations of a document in memory."""
        if not isinstance(value, Mapping):
            raise InvalidInput(f"{name}: an OpenAPI document is an object; got {type(value).__name__}.")
        if "swagger" in value:
            raise InvalidInput(
                f"{name} is OpenAPI 2 (Swagger {value['swagger']}); convert it to OpenAPI 3, for example with swagger2openapi."
            )
        if not str(value.get("openapi", "")).startswith("3"):
            raise InvalidInput(
                f"{name}: 'openapi' should be 3.x and is {value.get('openapi')!r}. It has {', '.join(map(str, value)) or 'nothing'}."
            )
        paths = value.get("paths") or {}
        if not isinstance(paths, Mapping):
            raise InvalidInput(f"{name}: 'paths' is {type(paths).__name__}, not an object.")
        info = value.get("info")
        title = _slug(str(info.get("title", ""))) if isinstance(info, Mapping) else ""
        seen: set[str] = set()
        for path, item in paths.items():
            if isinstance(item, Mapping) and "$ref" in item:
                item = resolved(item, value, [])
            if not isinstance(item, Mapping):
                yield Failure(str(path), f"is {type(item).__name__}, not an object of operations.")
                continue
            for method in _METHODS:
                if method not in item:
                    continue
                place = f"{method.upper()} {path}"
                problems: list[str] = []
                try:
                    record = self._tool(value, title or Path(name).stem, str(path), method, item, problems)
                except BowerbirdError as error:
                    yield Failure(place, str(error))
                    continue
                if record.key in seen:
                    yield Failure(place, f"has the operationId {record.fields['name']!r} of an earlier operation, which is kept.")
                    continue
                seen.add(record.key)
                yield record
                for problem in problems:
                    yield Failure(place, f"went in, but {problem}.")

    def _tool(
        self, document: Mapping[str, Any], title: str, path: str, method: str, item: Mapping[str, Any], problems: list[str]
    ) -> Record:
        operation = item[method]
        if not isinstance(operation, Mapping):
            raise InvalidInput(f"is {type(operation).__name__}, not an operation.")
        called = operation.get("operationId")
        name = called if isinstance(called, str) and called.strip() else f"{method}_{_slug(path)}"
        words = [operation.get("summary") or item.get("summary"), operation.get("description") or item.get("description")]
        about = "\n".join(dict.fromkeys(str(part).strip() for part in words if part))
        fields = checked_fields(
            kind(self._kind),
            {
                "name": name,
                "method": method.upper(),
                "path": path,
                "server": _server(document, item, operation),
                "parameters": _parameters(document, item, operation, problems),
                "returns": _returns(document, operation),
                "deprecated": True if operation.get("deprecated") is True else None,
                "tags": operation.get("tags") or None,
            },
        )
        return as_record({"key": f"{title}/{name}", "kind": self._kind, "text": about or f"{method.upper()} {path}", "fields": fields})


def _parameters(document: Mapping[str, Any], item: Mapping[str, Any], operation: Mapping[str, Any], problems: list[str]) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    required: list[str] = []
    for given in (*_listed(item, "parameters"), *_listed(operation, "parameters")):
        parameter = resolved(given, document, problems)
        name = parameter.get("name") if isinstance(parameter, dict) else None
        if not isinstance(name, str):
            problems.append(f"a parameter without a name was left out: {given!r:.60}")
            continue
        schema = parameter.get("schema")
        if not isinstance(schema, dict):
            schema = _json_content(parameter) or {}
        about = parameter.get("description")
        properties[name] = {**schema, **({"description": about} if about else {}), "x-in": parameter.get("in", "query")}
        # An operation's parameter replaces that of its path.
        required = [other for other in required if other != name] + ([name] if parameter.get("required") is True else [])
    body = resolved(operation.get("requestBody") or {}, document, problems)
    schema = _json_content(body) if isinstance(body, dict) else None
    if schema is not None:
        inner = schema.get("properties")
        if isinstance(inner, dict) and not any(name in properties for name in inner):
            properties.update({name: {**part, "x-in": "body"} if isinstance(part, dict) else part for name, part in inner.items()})
            required += [name for name in schema.get("required") or [] if isinstance(name, str)]
        else:
            properties["body"] = {**schema, "x-in": "body"}
            required += ["body"] if body.get("required") is True else []
    return {"type": "object", "properties": properties, **({"required": required} if required else {})}


def _json_content(holder: Mapping[str, Any]) -> dict[str, Any] | None:
    """The schema of what is sent or answered as JSON, else that of the first media type."""
    content = holder.get("content")
    if not isinstance(content, Mapping) or not content:
        return None
    media = next((content[name] for name in content if "json" in str(name)), next(iter(content.values())))
    schema = media.get("schema") if isinstance(media, Mapping) else None
    return dict(schema) if isinstance(schema, Mapping) else None


def _returns(document: Mapping[str, Any], operation: Mapping[str, Any]) -> str | None:
    """The description of the answer when all went well: its schema would be larger than it helps."""
    responses = operation.get("responses")
    if not isinstance(responses, Mapping):
        return None
    good = next((responses[code] for code in responses if str(code).startswith("2")), responses.get("default"))
    good = resolved(good, document, []) if isinstance(good, Mapping) else None
    return str(good["description"]) if isinstance(good, dict) and good.get("description") else None


def _server(document: Mapping[str, Any], *holders: Mapping[str, Any]) -> str | None:
    for holder in (*reversed(holders), document):
        for server in _listed(holder, "servers"):
            if isinstance(server, Mapping) and isinstance(server.get("url"), str):
                return str(server["url"])
    return None


def _listed(holder: Mapping[str, Any], part: str) -> list[Any]:
    found = holder.get(part)
    return found if isinstance(found, list) else []


def _slug(text: str) -> str:
    return re.sub(r"[^0-9A-Za-z\u0080-\uffff]+", "_", text).strip("_").lower()


def _yaml(path: Path) -> Any:
    import yaml

    data = path.read_bytes()
    if len(data) > LARGEST_DOCUMENT:
        raise InvalidInput(f"{path} is larger than {LARGEST_DOCUMENT >> 20} MiB.")
    if not data.strip():
        raise InvalidInput(f"{path} is empty.")
    try:
        return yaml.load(data, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InvalidInput(f"{path} is no YAML: {error}") from error
