"""Every type is learned by msgspec at import.

msgspec learns a type at its first use. A second thread that uses the type meanwhile kills the
process (SIGSEGV; bus/converting.py).
"""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FLOORS = ("bus", "store", "actors")
LEARNS = {"Decoder", "converter"}
"""What makes msgspec learn a type; it belongs to a module, not into a function."""
EXCEPT = {
    "bus/converting.py",
    "actors/command_line/output/exits.py",
    "actors/command_line/output/printing.py",
    "actors/runtime/local.py",
    "actors/command_line/options.py",
    "actors/command_line/runtime_commands.py",
    "actors/command_line/workflow_commands.py",
    "actors/command_line/reading_commands.py",
    "actors/command_line/terminal_commands.py",
    "actors/command_line/plan_commands.py",
    "actors/command_line/cleaning_commands.py",
    "actors/command_line/cli_commands.py",
    "actors/command_line/config_commands.py",
    "actors/command_line/trust_commands.py",
    "actors/command_line/key_commands.py",
    "actors/command_line/orchestrator_commands.py",
}
"""The one function that makes converters, and what commands begin and end with: they run in one
thread, and their imports wait so that `--help` is quick."""


def late(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield line and name of each use that may learn a type when threads are running.

    That includes imports of modules that learn some.
    """
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        for node in ast.walk(function):
            match node:
                case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name)):
                    typed = any(keyword.arg == "type" for keyword in node.keywords)
                    typed = typed or (name == "convert" and len(node.args) > 1)
                    if name in LEARNS or (typed and name in {"decode", "convert"}):
                        yield node.lineno, name
                case ast.ImportFrom(module=str(name)) if name.split(".")[0] in FLOORS:
                    yield node.lineno, name


def test_the_rule_sees_what_it_forbids() -> None:
    text = """
decode = msgspec.json.Decoder(Row).decode
def one(): return msgspec.json.Decoder(Row)
def two(data): return msgspec.json.decode(data, type=Row)
def three(data): return msgspec.convert(data, Row)
def four(): from actors.late import five
def six(data): return data.decode(), msgspec.json.decode(data), codec.decode("utf-8", "replace")
seven = lambda kind: converter(kind)
"""
    assert [line for line, _ in late(ast.parse(text))] == [3, 4, 5, 6, 8]


def test_no_type_is_learned_in_a_function() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line} {name}"
        for floor in FLOORS
        for path in sorted((ROOT / floor).rglob("*.py"))
        if str(path.relative_to(ROOT)) not in EXCEPT
        for line, name in late(ast.parse(path.read_text()))
    ]
    assert found == []
