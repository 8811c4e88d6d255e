"""Make the input that submits a text to a terminal's program or answers its question.

The functions return writes: `(bytes, milliseconds to wait after them)`. The waits matter, because
programs swallow an Enter that arrives together with a paste or an arrow key.
"""

import re
from typing import Final

from actors.clis.profile import Profile
from actors.clis.recognise import find_prompt, selection, typed_choices
from actors.clis.screen import Screen

Write = tuple[bytes, int]

PASTE_BEGIN: Final = b"\x1b[200~"
PASTE_END: Final = b"\x1b[201~"
ENTER: Final = b"\r"
_UP: Final = b"\x1b[A"
_DOWN: Final = b"\x1b[B"
ARROWS: Final = (_UP, _DOWN)
_KEY_DELAY_MS: Final = 120
_HARMFUL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


class NoSuchChoice(Exception):
    """A label is not on the screen, or matches several. `choices` are the labels on the screen."""

    def __init__(self, label: str, choices: list[str]) -> None:
        shown = ", ".join(repr(choice) for choice in choices) or "none"
        super().__init__(f"no choice {label!r} on this screen; the choices are: {shown}")
        self.label = label
        self.choices = choices


def harmless(text: str) -> str:
    r"""Return `text` without control characters, so that it cannot end a paste or press a key.

    Line ends become `\n`. Every control character except tab and newline becomes a visible
    character (ESC becomes `␛`).
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _HARMFUL.sub(lambda found: _visible(ord(found[0])), text)


def _visible(code: int) -> str:
    if code < 0x20:
        return chr(0x2400 + code)
    return "␡" if code == 0x7F else "�"


def paste(text: str, bracketed: bool = True, enter_delay_ms: int = 300) -> list[Write]:
    """Return the writes that submit `text`: a bracketed paste, then a separate Enter.

    Without `bracketed`, for a program that reads lines, the text is joined into one line.
    """
    safe = harmless(text).strip("\n")
    if bracketed:
        body = PASTE_BEGIN + safe.encode() + PASTE_END
    else:
        body = " ".join(safe.split("\n")).encode()
    return [(body, enter_delay_ms), (ENTER, 0)]


def pastes(profile: Profile, screen: Screen) -> bool:
    """Return whether the program takes a text as a bracketed paste."""
    return profile.submit.bracketed == "always" or screen.bracketed_paste


def wants_file(profile: Profile, screen: Screen, text: str) -> bool:
    """Return whether `text` is to be given by a file: it has several lines, and is not pasted."""
    lines = harmless(text).strip("\n").count("\n") + 1
    return bool(profile.submit.file) and lines > 1 and not pastes(profile, screen)


def hand_in(profile: Profile, screen: Screen, text: str) -> list[Write]:
    """Return the writes that submit `text`, as the profile and the screen require."""
    return paste(text, pastes(profile, screen), profile.submit.enter_delay_ms)


def keys_for_choice(screen: Screen, label: str, profile: Profile) -> list[Write]:
    """Return the writes that answer the question on `screen` with `label`.

    They are the text that the profile types for the label, or else arrow keys from the marked
    option to the label and Enter. Pass the newest screen, and read the screen again between the
    arrow keys and Enter (`judging.step_towards`). Raise `NoSuchChoice` if the label is not on the
    screen.
    """
    prompt = find_prompt(profile, screen)
    choices = prompt.choices if prompt else []
    wanted = match_label(label, choices)
    by_key: dict[str, str] = {}
    for rule in profile.prompts:
        if prompt is not None and prompt.known and rule.name == prompt.name:
            by_key = rule.typed
    typed = by_key or typed_choices(screen)
    listed = selection(screen, profile.markers)
    if listed is not None and wanted in listed.labels and wanted not in by_key:
        steps = listed.labels.index(wanted) - listed.marked
        return [(_DOWN if steps > 0 else _UP, _KEY_DELAY_MS)] * abs(steps) + [(ENTER, 0)]
    if wanted not in typed:
        raise NoSuchChoice(label, choices)
    text = typed[wanted]
    if text.endswith("\r") and len(text) > 1:
        return [(text[:-1].encode(), _KEY_DELAY_MS), (ENTER, 0)]
    return [(text.encode(), 0)]


def match_label(label: str, choices: list[str]) -> str:
    """Return the one choice that `label` means.

    An exact match comes first, then a match that ignores case, then the only choice that begins
    with the label. A number is not a label. Raise `NoSuchChoice` if not exactly one choice matches.
    """
    wanted = " ".join(label.split()).casefold()
    if label in choices:
        return label
    same = [choice for choice in choices if choice.casefold() == wanted]
    if len(same) == 1:
        return same[0]
    beginning = [choice for choice in choices if wanted and choice.casefold().startswith(wanted)]
    if len(beginning) != 1:
        raise NoSuchChoice(label, choices)
    return beginning[0]
