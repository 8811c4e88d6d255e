"""Facts about what a person was told, from the notifier."""

from bus.facts.base import Fact


class NoticeSent(Fact, kw_only=True, tag="notice.sent"):
    """A person was told the facts with these `seqs`; they are not told again.

    `to` is the program, or the host of the web address; `id` is that of the notice.
    """

    to: str
    id: str
    seqs: list[int]


class NoticeFailed(Fact, kw_only=True, tag="notice.failed"):
    """A notice was not sent after `tries` tries of this runtime, for `reason`.

    It is tried again at growing intervals, unless it is `given_up`: then it is unknown whether the
    person was told. The other fields are those of `NoticeSent`.
    """

    to: str
    id: str
    seqs: list[int]
    tries: int
    reason: str
    given_up: bool = False
