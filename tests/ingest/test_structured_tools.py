"""Tools from OpenAI schemas, MCP answers, OpenAPI documents and Python functions."""

import dataclasses
import enum
import functools
import json
import math
import textwrap
import typing
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bowerbird.errors import InvalidInput
from bowerbird.ingest.source import Failure, open_source
from bowerbird.ingest.sources.callables import Callables
from bowerbird.ingest.sources.json_schema import LARGEST, of_type, resolved
from bowerbird.ingest.sources.openapi import OpenAPI
from bowerbird.ingest.sources.tool_schemas import McpTools, OpenAITools
from bowerbird.kinds import kind
from bowerbird.types import Record

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = {"name": "get_weather", "description": "Weather of a city.", "parameters": SCHEMA}


def split(found):
    found = list(found)
    return [one for one in found if isinstance(one, Record)], [one for one in found if isinstance(one, Failure)]


# --- OpenAI and MCP ---


@pytest.mark.parametrize(
    "value",
    [
        [{"type": "function", "function": WEATHER}],
        [{"type": "function", **WEATHER}],
        WEATHER,
        {"tools": [{"type": "function", "function": WEATHER}]},
        {"functions": [WEATHER]},
    ],
)
def test_every_form_of_a_function_schema_is_the_same_tool(value):
    records, failures = split(OpenAITools().records(value, "tools.json"))
    assert failures == []
    assert (records[0].key, records[0].kind, records[0].text) == ("get_weather", "tool", "Weather of a city.")
    assert records[0].fields["parameters"] == SCHEMA
    assert kind("tool").show(records[0]).startswith("get_weather: Weather of a city.\nparameters: {")


def test_bad_schemas_are_reported_one_by_one():
    bad = [
        {"description": "nameless"},
        "text",
        {**WEATHER, "parameters": "no"},
        {**WEATHER, "description": 5},
        WEATHER,
        WEATHER,
        {"name": " "},
    ]
    records, failures = split(OpenAITools().records(bad, "x"))
    assert len(records) == 1
    assert [failure.name for failure in failures] == ["tool 1", "tool 2", "tool 3", "tool 4", "tool 6", "tool 7"]
    assert "description" in failures[0].why
    with pytest.raises(InvalidInput, match="list of function schemas"):
        list(OpenAITools().records("text", "x"))
    with pytest.raises(InvalidInput, match="no mapping"):
        OpenAITools(mapping={"name": "n"})


def test_mcp_answer_with_and_without_envelope(tmp_path):
    tool = {
        "name": "read",
        "title": "Read",
        "inputSchema": SCHEMA,
        "outputSchema": {"type": "string"},
        "annotations": {"readOnlyHint": True},
    }
    answer = {"jsonrpc": "2.0", "id": 1, "result": {"tools": [tool], "nextCursor": "p2"}}
    path = tmp_path / "files.json"
    path.write_text(json.dumps(answer))
    records, failures = split(open_source(path, format="mcp_tools").units().__next__().read())
    assert (records[0].key, records[0].text, records[0].fields["server"]) == ("files/read", "Read", "files")
    assert records[0].fields["returns"] == {"type": "string"}
    assert "p2" in failures[0].why
    records, failures = split(McpTools().records({"serverInfo": {"name": "disk"}, "tools": [tool]}, "x.json"))
    assert (records[0].key, failures) == ("disk/read", [])
    with pytest.raises(InvalidInput, match="Method not found"):
        list(McpTools().records({"error": {"code": -32601, "message": "Method not found"}}, "x"))


# --- references ---


def test_references_are_written_out_and_cycles_end():
    document = {
        "$defs": {
            "node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}, "tag": {"$ref": "#/$defs/a~1b"}}},
            "a/b": {"type": "string"},
        }
    }
    problems = []
    assert resolved({"$ref": "#/$defs/node", "description": "start"}, document, problems) == {
        "type": "object",
        "properties": {"next": {"type": "object", "description": "(a node again)"}, "tag": {"type": "string"}},
        "description": "start",
    }
    assert problems == []
    resolved([{"$ref": "#/none"}, {"$ref": "other.json#/x"}], document, problems)
    assert ["to nothing" in problems[0], "out of the document" in problems[1]] == [True, True]


def test_references_that_double_at_every_level_are_cut():
    document = {f"l{n}": {"anyOf": [{"$ref": f"#/l{n + 1}"}, {"$ref": f"#/l{n + 1}"}]} for n in range(40)} | {"l40": {"type": "string"}}
    problems = []
    assert len(json.dumps(resolved({"$ref": "#/l0"}, document, problems))) < 100 * LARGEST
    assert problems == [f"the schema is larger than {LARGEST} nodes and is cut"]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda s: st.lists(s) | st.dictionaries(st.text("abc"), s), max_leaves=20
    )
)
def test_what_has_no_references_stays_as_it_is(value):
    assert resolved(value, {}, []) == value


# --- OpenAPI ---

DOCUMENT = textwrap.dedent(
    """\
    openapi: 3.0.3
    info: {title: Pet Shop, version: 2026-05-01}
    servers: [{url: https://pets.example/v1}]
    paths:
      /pets/{id}:
        parameters:
          - $ref: '#/components/parameters/Id'
        get:
          operationId: getPet
          summary: One pet
          description: Gives a pet by its number.
          parameters: [{name: at, in: query, description: Which day., schema: {type: string, format: date, example: 2026-05-01}}]
          responses: {200: {description: The pet}}
        put:
          summary: Change a pet
          deprecated: true
          requestBody: {required: true, content: {application/json: {schema: {$ref: '#/components/schemas/Pet'}}}}
          responses: {default: {$ref: '#/components/responses/None'}}
      /pets:
        post:
          operationId: addPets
          requestBody: {required: true, content: {application/json: {schema: {type: array, items: {$ref: 'other.yaml#/Pet'}}}}}
        get: nonsense
      /again: {get: {operationId: getPet}}
      /empty:
    components:
      parameters:
        Id: {name: id, in: path, required: true, schema: {type: integer}}
      schemas:
        Pet:
          type: object
          required: [name]
          properties:
            name: {type: string}
            mother: {$ref: '#/components/schemas/Pet'}
    """
)


@pytest.mark.parametrize("ending", [".yaml", ".json"])
def test_each_operation_is_a_tool(tmp_path, ending):
    import yaml

    path = tmp_path / f"pets{ending}"
    path.write_text(DOCUMENT if ending == ".yaml" else json.dumps(yaml.safe_load(DOCUMENT), default=str))
    records, failures = split(open_source(path, format="openapi").units().__next__().read())
    tools = {record.key: record for record in records}
    assert sorted(tools) == ["pet_shop/addPets", "pet_shop/getPet", "pet_shop/put_pets_id"]
    get = tools["pet_shop/getPet"]
    assert get.text == "One pet\nGives a pet by its number."
    assert {name: get.fields[name] for name in ("method", "path", "server", "returns")} == {
        "method": "GET",
        "path": "/pets/{id}",
        "server": "https://pets.example/v1",
        "returns": "The pet",
    }
    assert get.fields["parameters"] == {
        "type": "object",
        "properties": {
            "id": {"type": "integer", "x-in": "path"},
            "at": {"type": "string", "format": "date", "example": "2026-05-01", "description": "Which day.", "x-in": "query"},
        },
        "required": ["id"],
    }
    put = tools["pet_shop/put_pets_id"].fields
    assert put["deprecated"] is True
    assert put["parameters"]["required"] == ["id", "name"]
    assert put["parameters"]["properties"]["mother"] == {"type": "object", "description": "(a Pet again)", "x-in": "body"}
    assert tools["pet_shop/addPets"].fields["parameters"]["required"] == ["body"]
    assert {failure.name for failure in failures} == {"GET /pets", "POST /pets", "GET /again", "/empty"}


def test_what_is_no_openapi_3_says_so(tmp_path):
    for value, complaint in (
        ({"swagger": "2.0"}, "Swagger"),
        ({"openapi": "4"}, "3.x"),
        ([], "object"),
        ({"openapi": "3.1.0", "paths": []}, "paths"),
    ):
        if complaint == "paths":
            assert list(OpenAPI().records(value, "x")) == []
        else:
            with pytest.raises(InvalidInput, match=complaint):
                list(OpenAPI().records(value, "x"))
    path = tmp_path / "a.yaml"
    path.write_text("a: [1\nb: }")
    with pytest.raises(InvalidInput, match="no YAML"):
        list(OpenAPI().read(path, "a.yaml"))


# --- Python functions ---


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclasses.dataclass
class Node:
    value: int
    next: "Node | None" = None


def paint(
    wall: Annotated[str, "which wall"],
    colour: Colour,
    coats: int = 2,
    *,
    when: date | None = None,
    on: tuple[Node, ...] = (),
    **more: Any,
) -> bool:
    """Paint a wall.

    It takes a day to dry.

    Args:
        coats (int): how many layers
        when: the day
    Returns:
        whether it worked
    """
    return True


def bare(x, *rest):
    return x


def test_a_function_becomes_a_tool_with_a_schema():
    records, failures = split(open_source(paint).units().__next__().read())
    assert failures == []
    (tool,) = records
    assert (tool.key, tool.fields["name"]) == (f"{__name__}.paint", "paint")
    assert tool.text.startswith("Paint a wall.\n\nIt takes a day to dry.")
    assert "how many layers" not in tool.text
    properties = tool.fields["parameters"]["properties"]
    assert properties["wall"] == {"type": "string", "description": "which wall"}
    assert properties["colour"] == {"enum": ["red", "blue"]}
    assert properties["coats"] == {"type": "integer", "default": 2, "description": "how many layers"}
    assert properties["when"] == {"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}], "description": "the day"}
    assert properties["on"]["items"] == {
        "type": "object",
        "properties": {"value": {"type": "integer"}, "next": {"anyOf": [{}, {"type": "null"}]}},
        "required": ["value"],
    }
    assert tool.fields["parameters"]["required"] == ["wall", "colour"]
    assert tool.fields["parameters"]["additionalProperties"] is True


def test_functions_without_docstring_hints_or_signature():
    records, failures = split(Callables().records([bare, len, math.hypot, dict.update], "callables"))
    assert failures == []
    assert records[0].text == "bare"
    assert records[0].fields["parameters"]["properties"] == {"x": {}, "rest": {"type": "array"}}
    assert records[1].text.startswith("Return the number of items")
    assert records[3].key == "dict.update"


def test_what_has_no_name_needs_one():
    partial = functools.partial(bare, 1)
    records, failures = split(Callables().records([lambda: 1, partial, bare, bare, 5], "callables"))
    assert [record.key for record in records] == [f"{__name__}.bare"]
    assert len(failures) == 4
    assert "mapping" in failures[0].why
    named, failures = split(Callables().records({"one": lambda: 1, "two": partial}, "callables"))
    assert ([record.key for record in named], failures) == (["one", "two"], [])


def test_a_module_gives_its_public_functions():
    records, failures = split(open_source(textwrap).units().__next__().read())
    assert failures == []
    assert {record.key for record in records} == {f"textwrap.{name}" for name in ("dedent", "fill", "indent", "shorten", "wrap")}


def test_a_function_file_is_not_run(tmp_path):
    path = tmp_path / "a.py"
    path.write_text("raise SystemExit")
    with pytest.raises(InvalidInput, match="run"):
        list(open_source(path, format="callables").units().__next__().read())


class Row(typing.TypedDict, total=False):
    name: typing.Required[str]
    age: int


@pytest.mark.parametrize(
    ("hint", "schema"),
    [
        (str, {"type": "string"}),
        (None, {"type": "null"}),
        (int | str, {"anyOf": [{"type": "integer"}, {"type": "string"}]}),
        (typing.Optional[bool], {"anyOf": [{"type": "boolean"}, {"type": "null"}]}),  # noqa: UP045
        (Literal["a", 3], {"enum": ["a", 3]}),
        (list[int], {"type": "array", "items": {"type": "integer"}}),
        (set[str], {"type": "array", "items": {"type": "string"}, "uniqueItems": True}),
        (tuple[int, ...], {"type": "array", "items": {"type": "integer"}}),
        (tuple[int, str], {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}], "maxItems": 2}),
        (dict[str, float], {"type": "object", "additionalProperties": {"type": "number"}}),
        (typing.Iterable[Path], {"type": "array", "items": {"type": "string", "format": "path"}}),
        (typing.NewType("UserId", int), {"type": "integer"}),
        (Row, {"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}}, "required": ["name"]}),
        (Any, {}),
        (typing.Callable[[int], str], {}),
        (object, {}),
    ],
)
def test_schemas_of_types(hint, schema):
    assert of_type(hint) == schema
