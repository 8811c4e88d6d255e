"""The queries of what persons are told."""

import msgspec

from bus.notify import Notice, Notify
from store.used import Ask

_notify = msgspec.json.Decoder(Notify).decode
_seqs = msgspec.json.Decoder(list[int]).decode


def notices(ask: Ask) -> list[Notice]:
    """Return how far persons were told, by each way."""
    found = ask("SELECT recipient, told, seqs, number FROM notice ORDER BY recipient")
    return [
        Notice(recipient=recipient, told=told, seqs=_seqs(seqs), number=number)
        for recipient, told, seqs, number in found
    ]


def asked(ask: Ask, workflow: str) -> tuple[int, Notify | None]:
    """Return the seq of a workflow's first fact, and `[notify]` of its plan.

    Return 0 and None for a workflow that was forgotten.
    """
    found = ask(
        "SELECT (SELECT ifnull(min(seq), 0) FROM fact WHERE workflow = id),"
        " json_extract(CAST(plan AS TEXT), '$.notify') FROM workflow WHERE id = ?",
        workflow,
    )
    first, said = found[0] if found else (0, None)
    return int(first), _notify(said) if said else None
