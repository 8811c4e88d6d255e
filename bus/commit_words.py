# ruff: noqa: RUF001, RUF002 (typographic quotes and full-width brackets are meant)
r"""What a commit message says to Callboard: `#done`, `#review`, `#fail`, or a metadata block.

A terminal reports through its commits alone, so they are read by exact rules. `parse` returns

- `None` if the message has no word that counts and no block: the commit changes nothing;
- `Spoken(meaning)` for a word, or for one well-formed block;
- `Malformed(reason)` for a wrong block, or a message that is too long. A block takes precedence
  over words, so the words beside a wrong block do not count, and nothing is guessed.

A word counts if it stands alone between blanks. Brackets, `*`, `_` and `~` around it, and
punctuation after it, are allowed (`(#done)`, `**#done**`, `#done.`). Words are case-sensitive.
Quoted text does not count, because others wrote it:

- '…', "…", `…`, “…”, ‘…’, «…», 「…」, 『…』 within one paragraph. An apostrophe (don't, users')
  opens no quotation, and a quotation that is never closed is none;
- lines that begin with `>`; code fences (``` or ~~~), of which an unclosed one extends to the end;
- messages of other commits: the indented log below a `commit <hex>` line (`git merge --squash`),
  the shortlog in a merge message (`merge.log`), the subject after `fixup!`, `squash!`, `amend!`.
  A bullet list of subjects, as made by a rebase or a web page that squashes, is ordinary text.

In a message of one line, a literal `\n` outside quotations is read as a line end
(`-m "Title\n\n#done"`).
"""

import re
from bisect import bisect
from collections.abc import Iterator
from enum import StrEnum
from typing import Final

import msgspec

from bus.converting import converter

LIMIT: Final = 64 * 1024
"""Longest message that is read, in characters; a longer one is `Malformed`."""


class Meaning(StrEnum):
    """What a commit reports."""

    NOTHING = ""
    """The message has no word that counts."""
    DONE = "done"
    """The work is complete: `#done`, or status `completed`."""
    REVIEW = "review"
    """The work asks for review: `#review`."""
    FAIL = "fail"
    """The terminal gives up, or a reviewer rejects: `#fail`, or status `failed`."""
    PASS = "pass"
    """A review accepts: status `review_pass`."""
    REJECT = "reject"
    """A review sends the work back: status `review_reject`."""
    CHECKPOINT = "checkpoint"
    """The work is saved and not finished: status `checkpoint`."""


class Status(StrEnum):
    """The values of `status` in a metadata block."""

    COMPLETED = "completed"
    REVIEW_PASS = "review_pass"
    REVIEW_REJECT = "review_reject"
    FAILED = "failed"
    CHECKPOINT = "checkpoint"


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """A metadata block. `status` alone decides; `next_action` is a remark for people.

    So a block with `completed` and no `next_action` is a completion (hazard 4), and unfinished work
    has `checkpoint`. The ids are copied unchecked: other code decides which terminal a commit may
    speak for.
    """

    workflow_id: str
    task_id: str
    terminal_id: str
    status: Status
    severity: str | None = None
    issues: str | None = None
    """One issue in each line."""
    next_action: str | None = None


class Spoken(msgspec.Struct, frozen=True, tag="spoken"):
    """The message has one meaning; `block` is the metadata block that gave it, if any."""

    meaning: Meaning
    block: Block | None = None


class Malformed(msgspec.Struct, frozen=True, tag="malformed"):
    """The message is too long or has a wrong metadata block; `reason` is for its writer."""

    reason: str


_block = converter(Block)

Verdict = Spoken | Malformed

_MEANING: Final = {
    Status.COMPLETED: Meaning.DONE,
    Status.REVIEW_PASS: Meaning.PASS,
    Status.REVIEW_REJECT: Meaning.REJECT,
    Status.FAILED: Meaning.FAIL,
    Status.CHECKPOINT: Meaning.CHECKPOINT,
}
_PRECEDENCE: Final = (Meaning.FAIL, Meaning.REVIEW, Meaning.DONE)

_WORD: Final = re.compile(r"[(\[{<*_~（【]*#(done|review|fail)[)\]}>*_~.,;:!?…。，、；：！？）】]*")
_HOLE: Final = "\ufffc"
_QUOTED: Final = re.compile(
    r"(?P<ticks>`+)"
    r'|(?<!\w)"[^"]*"'
    r"|(?<!\w)'(?!\s)(?:[^']|(?<=\w)'(?=\w))*?(?<!\s)'(?!\w)"
    r"|‘(?:[^‘’]|(?<=\w)’(?=\w))*?’(?!\w)"
    r"|“[^“”]*”|«[^«»]*»|「[^「」]*」|『[^『』]*』",
    re.DOTALL,
)
_TICKS: Final = re.compile("`+")
_FENCE: Final = re.compile(r" {0,3}(`{3,}(?=[^`]*$)|~{3,})")
_QUOTE_LINE: Final = re.compile(r" {0,3}>")
_SQUASHED: Final = re.compile(r"commit [0-9a-f]{7,64}\b")
_SHORTLOG: Final = re.compile(r"\* .+:( \(\d+ commits\))?$")
_AUTOSQUASH: Final = re.compile(r"(fixup|squash|amend)! ")
_LITERAL_NEWLINE: Final = re.compile(r"(?:\\r)?\\n")

_MARKER: Final = re.compile(r" {0,3}---METADATA---\s*$")
_PAIR: Final = re.compile(r" {0,3}([A-Za-z][A-Za-z0-9_-]*)\s*:(?:\s+(.*)|)$")
_RULE: Final = re.compile(r" {0,3}-{3,}+[A-Za-z ]*+-*+\s*+$")
_KEYS: Final = Block.__struct_fields__
_REQUIRED: Final = ("workflow_id", "task_id", "terminal_id", "status")


def parse(message: str) -> Verdict | None:
    """Return what a commit message says. Pure, linear in its length, raises nothing."""
    if len(message) > LIMIT:
        return Malformed(f"the message is longer than {LIMIT} characters")
    lines = list(_own_lines(message))
    marks = [number for number, line in enumerate(lines) if _MARKER.match(line)]
    if len(marks) > 1:
        return Malformed("more than one ---METADATA--- block")
    if marks:
        return _read_block(lines[marks[0] + 1 :])
    said = {Meaning(word) for word in _words(lines)}
    return next((Spoken(meaning) for meaning in _PRECEDENCE if meaning in said), None)


def _own_lines(message: str) -> Iterator[str]:
    """Yield the lines of a message, with an empty line in place of each quoted one."""
    text = message.replace("\r\n", "\n").replace("\r", "\n")
    if "\n" not in text.strip():
        text = _expand_literal_newlines(text)
    lines = text.split("\n")
    fence = ""
    squash_log = shortlog = False
    merge = lines[0].startswith("Merge ")
    for number, line in enumerate(lines):
        mark = _FENCE.match(line)
        if fence:
            if mark and line.strip() == mark[1] and mark[1].startswith(fence):
                fence = ""
            yield ""
            continue
        if mark:
            fence = mark[1]
            yield ""
            continue
        squash_log = squash_log or bool(_SQUASHED.match(line))
        if line and not line.startswith(" "):
            shortlog = merge and bool(_SHORTLOG.match(line))
        quoted = (
            _QUOTE_LINE.match(line)
            or (squash_log and line.startswith(("    ", "\t")))
            or (shortlog and line.startswith("  "))
            or (number == 0 and _AUTOSQUASH.match(line))
        )
        yield "" if quoted else line


def _expand_literal_newlines(line: str) -> str:
    r"""Turn each `\n` typed as two characters into a line end, except inside quotes."""
    parts, position = [], 0
    for start, end in _quoted(line):
        parts.append(_LITERAL_NEWLINE.sub("\n", line[position:start]))
        parts.append(line[start:end])
        position = end
    parts.append(_LITERAL_NEWLINE.sub("\n", line[position:]))
    return "".join(parts)


def _words(lines: list[str]) -> Iterator[str]:
    for paragraph in _paragraphs(lines):
        for token in _without_quotes(paragraph).split():
            if found := _WORD.fullmatch(token):
                yield found[1]


def _without_quotes(text: str) -> str:
    parts: list[str] = []
    position = 0
    for start, end in _quoted(text):
        parts += (text[position:start], _HOLE)
        position = end
    return "".join((*parts, text[position:]))


def _quoted(text: str) -> Iterator[tuple[int, int]]:
    """Yield where each quotation begins and ends, in time linear in the text.

    The next run of backticks of the same length closes a run. It is looked up in a table: a pattern
    would search the rest of the text for every run.
    """
    runs: dict[int, list[int]] = {}
    for run in _TICKS.finditer(text):
        runs.setdefault(len(run[0]), []).append(run.start())
    position = 0
    while found := _QUOTED.search(text, position):
        start, position = found.span()
        if found["ticks"] is not None:
            same = runs[position - start]
            closing = bisect(same, start)
            if closing == len(same):
                continue  # never closed: it quotes nothing
            position = same[closing] + position - start
        yield start, position


def _paragraphs(lines: list[str]) -> Iterator[str]:
    gathered: list[str] = []
    for line in [*lines, ""]:
        if line.strip():
            gathered.append(line)
        elif gathered:
            yield "\n".join(gathered)
            gathered = []


def _read_block(lines: list[str]) -> Verdict:
    """Read the lines after the marker.

    The block continues over blank lines while known keys follow (agents write one `-m` for each
    line). It ends at a rule (`---`), at a git trailer (`Signed-off-by: …`), or at a blank line that
    something else follows (tools append footers). Unknown lower-case keys are ignored, so that keys
    can be added. Lines that are indented or begin with `- ` or `* ` belong to the key above.
    """
    fields: dict[str, list[str]] = {}
    current: list[str] | None = None
    after_blank = False
    for line in lines:
        if not line.strip():
            after_blank = True
            continue
        pair = _PAIR.match(line)
        if _RULE.match(line) or (pair and _is_trailer(pair[1])):
            break
        if after_blank and fields and not (pair and pair[1] in _KEYS):
            break
        after_blank = False
        if pair and not (current is not None and line.startswith(" ") and pair[1] not in _KEYS):
            key = pair[1]
            if key in fields:
                return Malformed(f"{key}: given twice")
            current = fields[key] = [pair[2]] if pair[2] else []
        elif current is not None and line.startswith((" ", "\t", "- ", "* ")):
            current.append(line.strip())
        else:
            return Malformed(f"not a `key: value` line: {line.strip()[:60]!r}")
    return _to_block({key: "\n".join(value).strip() for key, value in fields.items()})


def _is_trailer(key: str) -> bool:
    return "-" in key or key[0].isupper()


def _to_block(fields: dict[str, str]) -> Verdict:
    known = {key: value for key, value in fields.items() if key in _KEYS and value}
    for key in _REQUIRED:
        value = known.get(key, "").strip("\"'`")
        if not value:
            return Malformed(f"{key}: missing")
        if not value.isprintable() or " " in value:
            return Malformed(f"{key}: must be one word, not {value[:60]!r}")
        known[key] = value
    try:
        block = _block(known)
    except msgspec.ValidationError:
        allowed = ", ".join(Status)
        return Malformed(f"status: {known['status'][:60]!r} is not one of {allowed}")
    return Spoken(_MEANING[block.status], block)


class Duty(StrEnum):
    """The kinds of work that differ in the words to commit with."""

    CODE = "code"
    """Write code; nobody reviews it."""
    CODE_FOR_REVIEW = "code_for_review"
    """Write code that the next terminal, or a person, reviews."""
    REVIEW = "review"
    """Review the work on this branch."""
    MERGE = "merge"
    """Resolve the conflicts of the unfinished merge in this worktree."""
    REPAIR = "repair"
    """Repair what failed."""


_ENDINGS: Final[dict[Duty, tuple[tuple[str, str], ...]]] = {
    Duty.CODE: (
        ("When all of it is complete, commit with", 'git commit -am "<what you did> #done"'),
        (
            "If you cannot do it, commit with",
            'git commit --allow-empty -m "<what you tried> #fail" -m "<why it does not work>"',
        ),
    ),
    Duty.CODE_FOR_REVIEW: (
        (
            "When all of it is ready to be reviewed, commit with",
            'git commit -am "<what you did> #review"',
        ),
        (
            "If you cannot do it, commit with",
            'git commit --allow-empty -m "<what you tried> #fail" -m "<why it does not work>"',
        ),
    ),
    Duty.REVIEW: (
        ("To accept the work, commit with", 'git commit --allow-empty -m "<what you saw> #done"'),
        (
            "To send it back, commit with",
            'git commit --allow-empty -m "<what is wrong> #fail" -m "<each issue, with its file>"',
        ),
    ),
    Duty.MERGE: (
        (
            "When no conflict is left and nothing of either side is lost, commit with",
            'git commit -am "<what you merged> #done"',
        ),
        (
            "A change you leave out on purpose must be named in that message, one line each",
            '-m "Dropped: <file>: <reason>"',
        ),
        (
            "If you cannot do it, run git merge --abort, then commit with",
            'git commit --allow-empty -m "<what you tried> #fail" -m "<why it does not work>"',
        ),
    ),
    Duty.REPAIR: (
        ("When it is mended, commit with", 'git commit -am "<what you mended> #done"'),
        (
            "If you cannot mend it, commit with",
            'git commit --allow-empty -m "<what you tried> #fail" -m "<why it does not work>"',
        ),
    ),
}


def instructions(duty: Duty) -> str:
    """Return the text to append to an instruction: which commits to make, as shell commands.

    Each word stands at the end of its subject, because an editor session strips lines that begin
    with `#`. Each message stands in double quotes. A shell removes them, and `parse` understands
    the message; if the whole text is pasted into a message, its quoted words do not count.
    """
    parts = [
        "How to report: your commits are the only thing that is read."
        " Add new files with git add first."
        " The words that begin with # count only as written here:"
        " in the message itself, by themselves, without quotes around them."
        " Do not use them in any other commit."
    ]
    parts += [f"{when}:\n    {command}" for when, command in _ENDINGS[duty]]
    return "\n".join(parts) + "\n"
