"""Read what a request to a model says, in each of the four APIs."""

import json
from typing import Any

CLOSING = "The work is committed. Nothing is left to do."
SENTENCE = "Understood."
WHOLE_FILE = "made.txt\n```\nmade by the model server\n```\n"
COMMIT_MESSAGE = "Add made.txt"
SHELL_TOOLS = (
    "Bash",
    "bash",
    "run_shell_command",
    "exec_command",
    "shell_command",
    "shell",
    "local_shell",
    "run_commands",
)
Json = dict[str, Any]


class Tool:
    """A CLI's shell tool and how it wants a command: built from its own JSON schema."""

    def __init__(self, name: str, schema: Json) -> None:
        self.name = name
        self.schema = schema

    def arguments(self, command: str) -> Json:
        """Arguments that run `command`: whatever else the schema requires gets a plain value.

        Where the tool has a sandbox (codex) it asks to run outside of it, as a commit must.
        """
        properties: Json = self.schema.get("properties", {})
        key = next((name for name in ("command", "commands") if name in properties), "cmd")
        kind = str(properties.get(key, {}).get("type", "string")).lower()
        words = [command] if key == "commands" else ["bash", "-lc", command]
        made: Json = {key: words if kind == "array" else command}
        if "sandbox_permissions" in properties:
            made |= {"sandbox_permissions": "require_escalated", "justification": "to commit"}
        plain = {"string": "run it", "boolean": False, "integer": 60000, "number": 60000}
        for name in self.schema.get("required", []):
            kind = str(properties.get(name, {}).get("type", "string")).lower()
            made.setdefault(name, plain.get(kind, "run it"))
        return made


class Turn:
    """What a request asks for, whatever its API.

    The texts of the user's last turn, the shell tool if there is one, and whether the last thing
    said is a tool's result.
    """

    def __init__(
        self, texts: list[str], tools: list[tuple[str, Json]], has_result: bool, said: str = ""
    ) -> None:
        self.texts = texts
        self.said = said or "\n".join(texts)
        self.names = [name for name, _ in tools]
        by_name = dict(tools)
        wanted = next((name for name in SHELL_TOOLS if name in by_name), None)
        self.tool = Tool(wanted, by_name[wanted]) if wanted else None
        self.has_result = has_result

    @property
    def step(self) -> str:
        """`closing`, `tool`, `file` or `sentence`."""
        if self.has_result:
            return "closing"
        if self.tool:
            return "tool"
        return "file" if "file listing" in "\n".join(self.texts) else "sentence"

    @property
    def text(self) -> str:
        """What is said where no tool is called."""
        if self.step == "sentence" and "commit message" in self.said.lower():
            return COMMIT_MESSAGE + (" #done" if "#done" in self.said else "")
        return {"closing": CLOSING, "file": WHOLE_FILE}.get(self.step, SENTENCE)


def _texts(content: Any) -> list[str]:
    if isinstance(content, str):
        return [content]
    return [
        str(part["text"]) for part in content or [] if isinstance(part, dict) and "text" in part
    ]


def _last_user(messages: list[Json]) -> list[str]:
    """Texts of the user's messages after the last one by the model."""
    texts: list[str] = []
    for message in messages:
        if message.get("role") in ("assistant", "model"):
            texts = []
        elif message.get("role") == "user":
            texts += _texts(message.get("content", message.get("parts")))
    return texts


def read_anthropic(body: Json) -> Turn:
    """Read a request for an Anthropic message."""
    messages = body.get("messages", [])
    last = messages[-1]["content"] if messages else ""
    result = any(isinstance(part, dict) and part.get("type") == "tool_result" for part in last)
    tools = [(t["name"], t.get("input_schema", {})) for t in body.get("tools") or []]
    return Turn(_last_user(messages), tools, result)


def read_responses(body: Json) -> Turn:
    """Read a request for an OpenAI response."""
    given = body.get("input", [])
    items: list[Json] = [{"role": "user", "content": given}] if isinstance(given, str) else given
    result = bool(items) and str(items[-1].get("type", "")).endswith("_output")
    tools = [
        (t.get("name", t.get("type", "")), t.get("parameters") or {})
        for t in body.get("tools") or []
    ]
    if "Do not provide the `sandbox_permissions`" in json.dumps(items):
        for _, schema in tools:
            schema.get("properties", {}).pop("sandbox_permissions", None)
    return Turn(_last_user(items), tools, result)


def read_chat(body: Json) -> Turn:
    """Read a request for an OpenAI chat completion."""
    messages = body.get("messages", [])
    functions = [t["function"] for t in body.get("tools") or [] if "function" in t]
    tools = [(f["name"], f.get("parameters", {})) for f in functions]
    result = bool(messages) and messages[-1]["role"] == "tool"
    said = "\n".join(text for message in messages for text in _texts(message.get("content")))
    return Turn(_last_user(messages), tools, result, said)


def read_gemini(body: Json) -> Turn:
    """Read a request for a Gemini generation."""
    body = body.get("request", body)  # so where one is logged in
    contents = body.get("contents", [])
    last = contents[-1].get("parts", []) if contents else []
    declared = [f for t in body.get("tools") or [] for f in t.get("functionDeclarations", [])]
    tools = [
        (f["name"], f.get("parametersJsonSchema") or f.get("parameters", {})) for f in declared
    ]
    return Turn(_last_user(contents), tools, any("functionResponse" in part for part in last))
