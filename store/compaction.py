"""Forgetting: the facts of workflows that are over can be taken out of the journal.

`seq` goes on as before; `events.replay` tells up to where facts may be missing. The space on the
disk is given back; nothing is written while that is done.
"""

from store.change import Insert, Purge
from store.journal import Journal
from store.reader import Reader


def compact(journal: Journal, reader: Reader) -> int:
    """Remove the facts of finished, cleaned-up workflows; returns how many."""
    over = reader.over_ids()
    before = reader.count_facts()
    if over:
        head = journal.head
        journal.commit(
            [
                Purge(over),
                Insert("meta", {"key": "compacted", "value": str(head)}, replace=True),
            ]
        )
        journal.shrink()
    return before - reader.count_facts()
