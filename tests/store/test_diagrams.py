"""The docs' diagrams are drawn from the data."""

from docs.machines import PAGE, page


def test_the_diagrams_in_the_docs_are_those_of_the_tables() -> None:
    text = PAGE.read_text()
    assert page(text) == text, "run: python -m docs.machines"
