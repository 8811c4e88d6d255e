"""A very small MCP server on stdin and stdout: one tool, `look`, which returns a word."""

import json
import sys
from typing import Any

TOOL = {
    "name": "look",
    "description": "Looks. mark-mcp-tool",
    "inputSchema": {"type": "object", "properties": {}},
}


def answer(request: dict[str, Any]) -> dict[str, Any]:
    method, asked = request["method"], request.get("params", {})
    if method == "initialize":
        info = {"name": "tiny", "version": "1.0"}
        version = asked.get("protocolVersion", "2024-11-05")
        return {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": info}
    if method == "tools/list":
        return {"tools": [TOOL]}
    if method == "tools/call":
        return {"content": [{"type": "text", "text": "seen: mark-mcp-result"}]}
    return {}


for line in sys.stdin:
    request = json.loads(line)
    if "id" in request:
        said = {"jsonrpc": "2.0", "id": request["id"], "result": answer(request)}
        print(json.dumps(said), flush=True)
