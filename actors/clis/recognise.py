"""Recognise the state of a rendered screen: ready, busy, or asking a question.

The functions are pure and use no clock. The caller decides how long a screen must be quiet.

A question is read from the screen as a list of labels. A question that the profile describes is
`known`. Any other selection list or yes/no question is reported too, so that a person is asked.
"""

import re
from typing import Final, Literal

import msgspec

from actors.clis.profile import Profile, PromptRule
from actors.clis.screen import Screen

_EDGES: Final = "│┃║┆╎▌▐█▏▕"  # characters that draw the left and right side of a box
_UNSELECTED: Final = "○◯◦☐"
_CHOSEN: Final = "✔✓"  # beside the option that is in force; not part of its label
_NUMBER: Final = re.compile(r"(\d{1,2})[.)]\s+")
_GAP: Final = 3  # most rows of description between two options
_YES_NO: Final = re.compile(
    r"[\[(]\s*(?P<yes>y(?:es)?)\s*/\s*(?P<no>n(?:o)?)\b[^\])]*[\])]\s*:?\s*\S{0,3}\s*\Z",
    re.IGNORECASE,
)
_SPELLED_YES_NO: Final = re.compile(
    r"\((?P<yes>y)\)es\s*/\s*\((?P<no>n)\)o\b[^\n]*\Z", re.IGNORECASE
)
_PRESS_ENTER: Final = re.compile(r"press (?:enter|return)\b[^\n]*\Z", re.IGNORECASE)
_TURN_END: Final = re.compile(r"[^\w●•■]*\w+ for (?:\d+[dhms] ?)+(?:\W|\Z)")
"""A sign of a turn that says how long it took (claude, codex): what it said stands above."""
_QUESTION: Final = re.compile(
    r"^\W*(\w[^\n]* [^\n]*\?)(?:(?<=\w\?)[\"')]* [A-Z][^\n?]*)?[\"')\s│┃]*$", re.MULTILINE
)
QUESTION_LENGTH: Final = 200
"""How much is shown of a question in prose, in characters."""
ENTER_LABEL: Final = "Enter"


class Choices(msgspec.Struct, frozen=True):
    """A selection list on a screen.

    `labels` go from top to bottom. `marked` is the index of the marked label. `row` is the row of
    the first label, from 0.
    """

    labels: list[str]
    marked: int
    row: int


class Prompt(msgspec.Struct, frozen=True):
    """A question that waits for an answer.

    `name` is the profile's rule or `unknown`. `text` is the part of the screen that asks. `choices`
    are the labels to answer with. `answer` is the label that the profile would choose, or None.
    """

    name: str
    text: str
    choices: list[str]
    dangerous: bool = False
    known: bool = False
    answer: str | None = None


def is_busy(profile: Profile, screen: Screen) -> bool:
    """Return whether a turn is running."""
    return bool(profile.busy) and _end(profile.busy, screen) >= 0


def is_ready(profile: Profile, screen: Screen) -> bool:
    """Return whether the program takes an instruction.

    The screen must match the ready pattern and show no question below the match. This stays true
    while a turn is running; an idle program is ready and not busy.
    """
    return _ready_end(profile, screen) >= 0 and find_prompt(profile, screen) is None


def find_prompt(profile: Profile, screen: Screen) -> Prompt | None:
    """Return the question on a screen, or None.

    Call it only on a quiet screen, because half-drawn lists mislead it. Text above the match of the
    ready pattern is ignored, because a model may write anything there. A question that the profile
    does not describe is found only if the program is not busy. If the ready pattern matches, such a
    question must be a yes/no question or a request for Enter, on a row below the match.
    """
    ready_end = _ready_end(profile, screen)
    for rule in profile.prompts:
        if _end(rule.pattern, screen) <= ready_end:
            continue
        labels = choices_of(profile, screen, rule)
        if labels:
            name, answer = rule.name, _chosen(rule, labels)
            return Prompt(name, _around(screen), labels, rule.dangerous, known=True, answer=answer)
    if is_busy(profile, screen):
        return None
    if profile.ready and ready_end >= 0:
        labels = list(typed_choices(screen)) if "\n" in screen.text[ready_end:] else []
    else:
        labels = choices_of(profile, screen, None)
    return Prompt("unknown", _around(screen), labels) if labels else None


def answer_policy(auto_confirm: Literal["never", "known", "bypass"], prompt: Prompt) -> str | None:
    """Return the label to answer with automatically, or None to ask a person.

    With `bypass`, the program is started with its own flag; what it still asks is treated as with
    `known`. A person is asked if the question is dangerous, if the profile does not know it, or if
    the expected label is not on the screen.
    """
    if auto_confirm == "never" or prompt.dangerous or not prompt.known:
        return None
    return prompt.answer


def turn_began(profile: Profile, before: Screen, after: Screen) -> bool:
    """Return whether a turn began between two screens. `before` is from before Enter.

    It did if the program is busy, asks a question, or shows new evidence of a turn
    (`submit.evidence`).
    """
    if is_busy(profile, after) or find_prompt(profile, after) is not None:
        return True
    evidence = profile.submit.evidence
    if not evidence:
        return False
    pattern = re.compile(evidence, re.MULTILINE)
    return pattern.findall(after.text) != pattern.findall(before.text)


def asked_in_prose(profile: Profile, screen: Screen) -> str:
    """Return the last line of the newest turn with a question, up to its mark; else "".

    A profile without `submit.evidence` does not say where the turn begins, and nothing is found.
    """
    evidence = profile.submit.evidence
    signs = list(re.finditer(evidence, screen.text, re.MULTILINE)) if evidence else []
    if signs and _TURN_END.match(signs[-1][0]):
        signs.pop()
    if not signs or _TURN_END.match(signs[-1][0]):  # the newest turn has said nothing
        return ""
    found = _QUESTION.findall(screen.text[signs[-1].start() :])
    return " ".join(found[-1].split())[:QUESTION_LENGTH] if found else ""


def choices_of(profile: Profile, screen: Screen, rule: PromptRule | None) -> list[str]:
    """Return the labels that may be chosen on the screen."""
    if rule is not None and rule.typed:
        return list(rule.typed)
    listed = selection(screen, profile.markers)
    if listed is not None:
        return listed.labels
    return list(typed_choices(screen))


def typed_choices(screen: Screen) -> dict[str, str]:
    """Return the text to type for each label, if a question ends in `(y/n)` or asks for Enter."""
    asked = _YES_NO.search(screen.text) or _SPELLED_YES_NO.search(screen.text)
    if asked:
        return {asked["yes"]: asked["yes"] + "\r", asked["no"]: asked["no"] + "\r"}
    return {ENTER_LABEL: "\r"} if _PRESS_ENTER.search(screen.text) else {}


def selection(screen: Screen, markers: str) -> Choices | None:
    """Return the lowest selection list on the screen, or None.

    A selection list has at least two options in one column, one of them marked.
    """
    for row in range(len(screen.lines) - 1, -1, -1):
        option = _marked_option(screen.lines[row], markers)
        if option is None:
            continue
        column, numbered, label = option
        above = _options(screen.lines[:row][::-1], column, numbered)[::-1]
        below = _options(screen.lines[row + 1 :], column, numbered)
        if above or below:
            first = row - (above[0][0] if above else 0)
            labels = [text for _, text in above] + [label] + [text for _, text in below]
            return Choices(labels, len(above), first)
    return None


def _marked_option(line: str, markers: str) -> tuple[int, bool, str] | None:
    """Return column, whether numbered, and label of an option that follows a marker, or None."""
    body = line.lstrip(" " + _EDGES)
    if not body or body[0] not in markers:
        return None
    rest = body[1:].lstrip(" " + _CHOSEN)
    return _option(line, len(line) - len(rest)) if rest and rest != body[1:] else None


def _option(line: str, column: int) -> tuple[int, bool, str] | None:
    text = line[column:].rstrip(" " + _EDGES + _CHOSEN)
    number = _NUMBER.match(text)
    label = " ".join((text[number.end() :] if number else text).split())
    return (column, number is not None, label) if label else None


def _options(lines: list[str], column: int, numbered: bool) -> list[tuple[int, str]]:
    """Return `(distance, label)` of the unmarked options in `column`, nearest first.

    `lines` go away from the marked option. A row that is indented deeper belongs to an option, and
    so does a blank row in a numbered list. Any other row ends the list.
    """
    found: list[tuple[int, str]] = []
    gap = 0
    for distance, line in enumerate(lines, 1):
        body = line.lstrip(" " + _EDGES + _UNSELECTED + _CHOSEN)
        start = len(line) - len(body)
        option = _option(line, start) if body else None
        if option is not None and start == column and option[1] == numbered:
            found.append((distance, option[2]))
            gap = 0
            continue
        gap += 1
        apart = not body if numbered else False
        if not (apart or start > column) or gap > _GAP:
            break
    return found


def _ready_end(profile: Profile, screen: Screen) -> int:
    """Return the end of the ready pattern's last match; -1 if none, 0 if there is no pattern."""
    return _end(profile.ready, screen) if profile.ready else 0


def _end(pattern: str, screen: Screen) -> int:
    ends = [found.end() for found in re.finditer(pattern, screen.text, re.MULTILINE)]
    return ends[-1] if ends else -1


def _chosen(rule: PromptRule, labels: list[str]) -> str | None:
    if not rule.answer:
        return None
    fitting = [label for label in labels if re.match(rule.answer, label, re.IGNORECASE)]
    return fitting[0] if fitting else None


def _around(screen: Screen) -> str:
    """Return the last 25 lines of the screen's text, where questions are asked."""
    return "\n".join(screen.text.splitlines()[-25:])
