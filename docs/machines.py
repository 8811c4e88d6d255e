"""The diagrams of the state machines, drawn from the tables of legal transitions.

`python -m docs.machines` writes them into architecture.md.
"""

from pathlib import Path

from store.transitions import TASK, TERMINAL, WORKFLOW

PAGE = Path(__file__).with_name("architecture.md")
BEGIN, END = "<!-- machines -->", "<!-- end machines -->"


def diagrams() -> str:
    """Return the diagrams of all state machines as Markdown."""
    parts = []
    for name, table in (("Workflow", WORKFLOW), ("Task", TASK), ("Terminal", TERMINAL)):
        steps = [
            f"    {old} --> {new}" for old, targets in table.items() for new in sorted(targets)
        ]
        parts.append(f"{name}:\n\n```mermaid\nstateDiagram-v2\n" + "\n".join(steps) + "\n```\n")
    return "\n".join(parts)


def page(text: str) -> str:
    """The page with the diagrams as they must be."""
    head, rest = text.split(BEGIN)
    _, tail = rest.split(END)
    return f"{head}{BEGIN}\n{diagrams()}{END}{tail}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
