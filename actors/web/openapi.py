"""The OpenAPI 3.1 document, made from the table of routes and the types of requests and results."""

from typing import Any, get_args

import msgspec

from actors.web.routes import ROUTES, Route
from bus.errors import ErrorBody
from bus.facts import FACT_TYPES
from bus.plan import Plan
from bus.requests import PlanCheck, PlanSubmit

_REFS = "#/components/schemas/{name}"
_ERRORS = {
    "400": "Not in this state",
    "401": "No valid token",
    "403": "Not allowed",
    "404": "Nothing has this name",
    "409": "A race was lost, or it is there already",
    "413": "The body is too large",
    "415": "The content type is not JSON or TOML",
    "421": "Host does not name this server",
    "422": "The words are wrong; `path` names the field",
    "429": "Too many",
    "500": "The runtime failed; it says why",
    "503": "The runtime is starting, stopping, or does not answer",
}


def _result(route: Route) -> Any:
    (named,) = get_args(route.request.__orig_bases__[0])
    return named


def _schemas() -> tuple[tuple[dict[str, Any], ...], dict[str, Any]]:
    """The schema of each result, of each field, and the components they refer to."""
    kinds: list[Any] = [_result(route) for route in ROUTES]
    for route in ROUTES:
        kinds += [field.type for field in _encoded(route)]
        kinds += [_type_of(route, name) for name in route.query]
    kinds += [ErrorBody, Plan]
    found, components = msgspec.json.schema_components(kinds, ref_template=_REFS)
    return found, components


def _type_of(route: Route, name: str) -> Any:
    """The type of a request's field; its schema has its bounds."""
    fields = {field.encode_name: field for field in msgspec.structs.fields(route.request)}
    return fields[name].type


class _Encoded(msgspec.Struct):
    name: str
    type: Any
    required: bool


def _encoded(route: Route) -> list[_Encoded]:
    """A body's fields with their Python types, in order."""
    hints = msgspec.structs.fields(route.request)
    by_name = {field.encode_name: field for field in hints}
    return [
        _Encoded(field.name, by_name[field.encode_name].type, field.required)
        for field in route.body_fields
    ]


def document() -> dict[str, Any]:
    """Return the whole document as plain data."""
    schemas, components = _schemas()
    at = len(ROUTES)
    paths: dict[str, Any] = {}
    for number, route in enumerate(ROUTES):
        fields = _encoded(route)
        bodies = {field.name: schemas[at + index] for index, field in enumerate(fields)}
        at += len(fields)
        queries = dict(zip(route.query, schemas[at:], strict=False))
        at += len(route.query)
        if route.request in (PlanSubmit, PlanCheck):
            bodies["plan"] = {"anyOf": [{"type": "string"}, {"$ref": _REFS.format(name="Plan")}]}
        path = route.path.replace(":path}", "}")
        paths.setdefault(path, {})[route.method.lower()] = _operation(
            route,
            schemas[number],
            bodies,
            [field.name for field in fields if field.required],
            queries,
        )
    paths |= _beside()
    return {
        "openapi": "3.1.0",
        "info": {"title": "Callboard", "version": "1", "description": "docs/protocol.md"},
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": {
                **components,
                "Error": {
                    "type": "object",
                    "required": ["error"],
                    "properties": {"error": {"$ref": _REFS.format(name="ErrorBody")}},
                },
            },
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(
    route: Route,
    result: dict[str, Any],
    bodies: dict[str, Any],
    required: list[str],
    queries: dict[str, Any],
) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "operationId": f"{route.method.lower()} {route.path}",
        "summary": route.summary,
        "parameters": [
            *(_parameter(name, "path") for name in route.path_names),
            *(_parameter(name, "query", queries[name]) for name in route.query),
        ],
        "responses": {
            str(int(route.status)): {
                "description": "Done",
                "content": {"application/json": {"schema": result}},
            },
            **_errors(),
        },
    }
    if route.method == "GET":
        shown["responses"]["304"] = {"description": "As the ETag says"}
    else:
        key = _parameter("Idempotency-Key", "header")
        shown["parameters"].append({**key, "required": False})
    if route.body:
        content: dict[str, Any] = {
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": bodies,
                    "required": required,
                    "additionalProperties": False,
                }
            }
        }
        if route.request in (PlanSubmit, PlanCheck):
            content["application/toml"] = {"schema": {"type": "string"}}
        shown["requestBody"] = {"content": content, "required": bool(required)}
    return shown


def _parameter(name: str, place: str, schema: Any = None) -> dict[str, Any]:
    return {
        "name": name,
        "in": place,
        "required": place == "path",
        "schema": schema or {"type": "string"},
    }


def _errors() -> dict[str, Any]:
    return {
        code: {
            "description": text,
            "content": {"application/json": {"schema": {"$ref": _REFS.format(name="Error")}}},
        }
        for code, text in _ERRORS.items()
    }


def _beside() -> dict[str, Any]:
    """The routes that are no requests."""
    event = {name: {"type": "string"} for name in ("id", "event", "data")}
    shape = {"type": "object", "properties": event, "required": list(event)}
    stream = {"text/event-stream": {"schema": shape}}
    types = {"type": "array", "items": {"enum": list(FACT_TYPES)}}
    filters = [
        {"name": "after", "in": "query", "schema": {"type": "integer", "minimum": 0}},
        {"name": "address", "in": "query", "schema": {"type": "string"}},
        {"name": "type", "in": "query", "schema": types, "style": "form", "explode": False},
        {"name": "Last-Event-ID", "in": "header", "schema": {"type": "string"}},
    ]
    return {
        "/api/events": {
            "get": {
                "operationId": "events",
                "summary": "Follow the facts as Server-Sent Events",
                "parameters": filters,
                "responses": {"200": {"description": "Facts", "content": stream}, **_errors()},
            }
        },
        "/api/openapi.json": {"get": _plain("openapi", "Show these routes", _JSON)},
        "/api/login-codes": {
            "post": _plain("make login code", _CODE, _object("code", "path"), 201)
        },
        "/api/login": {
            "post": {
                **_plain("login", "Exchange a login code for a token", _object("token"), open=True),
                "requestBody": {"content": _object("code"), "required": True},
            }
        },
        "/metrics": {"get": _plain("metrics", "Show what an operator watches", _TEXT)},
        "/health": {"get": _plain("health", "Say that the web door lives", _TEXT, open=True)},
        "/ready": {"get": _plain("ready", "Say that the runtime answers", _TEXT, open=True)},
    }


_TEXT: dict[str, Any] = {"text/plain": {"schema": {"type": "string"}}}
_JSON: dict[str, Any] = {"application/json": {"schema": {"type": "object"}}}
_CODE = "Make a code with which a browser logs in once"


def _object(*names: str) -> dict[str, Any]:
    """The content of a body that is an object of these texts."""
    shape = {
        "type": "object",
        "properties": {name: {"type": "string"} for name in names},
        "required": list(names),
        "additionalProperties": False,
    }
    return {"application/json": {"schema": shape}}


def _plain(
    id: str, summary: str, content: dict[str, Any], status: int = 200, *, open: bool = False
) -> dict[str, Any]:
    """An operation without parameters; `open` if it wants no token."""
    shown = {
        "operationId": id,
        "summary": summary,
        "responses": {str(status): {"description": "Done", "content": content}, **_errors()},
    }
    return {**shown, "security": []} if open else shown


DOCUMENT = msgspec.json.encode(document())
