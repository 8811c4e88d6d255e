"""Compaction: remove the facts of workflows that are over from the journal.

`seq` continues as before, and `events.replay` reports up to which `seq` facts may be missing. The
disk space is returned to the file system; commits wait meanwhile.
"""

from store.change import Insert, Purge
from store.journal import Journal
from store.reader import Reader


def compact(journal: Journal, reader: Reader) -> int:
    """Remove the facts of finished, cleaned-up workflows; return how many."""
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
