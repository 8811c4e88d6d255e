"""The words with which a refused request tells a program its reason.

A runtime and a door say only these, and the rules of a repository
(`actors.git.running.errors.Rule`). A client may meet a word of a newer runtime, so
`bus.errors.ErrorBody` holds text.
"""

from enum import StrEnum


class Reason(StrEnum):
    """Why a request was refused; `docs/protocol.md` says which code each has."""

    # the state does not allow it (400)
    ALREADY_OVER = "already_over"
    ALREADY_SENT = "already_sent"
    ALREADY_WORKED = "already_worked"
    BUDGET_SPENT = "budget_spent"
    BUILT_UPON = "built_upon"
    CHANGED = "changed"
    LANDING = "landing"
    MERGING = "merging"
    NEVER_STARTED = "never_started"
    NO_BRANCH = "no_branch"
    NO_INCARNATION = "no_incarnation"
    NO_KEY = "no_key"
    NO_ORCHESTRATOR = "no_orchestrator"
    NO_PROPOSAL = "no_proposal"
    NO_SUCH_CHOICE = "no_such_choice"
    NO_COPY = "no_copy"
    NOT_BLOCKED = "not_blocked"
    NOT_CLEAN = "not_clean"
    NOT_CREATED = "not_created"
    NOT_FAILED = "not_failed"
    NOT_LIVE = "not_live"
    NOT_MERGING = "not_merging"
    NOT_OVER = "not_over"
    NOT_PAUSED = "not_paused"
    NOT_PUT_BACK = "not_put_back"
    NOT_READY = "not_ready"
    NOT_REVIEW_PENDING = "not_review_pending"
    NOT_RUNNING = "not_running"
    NOT_STARTED = "not_started"
    NOT_TRUSTED = "not_trusted"
    NOT_TYPED = "not_typed"
    NOT_WAITING = "not_waiting"
    NOTHING_TO_REPAIR = "nothing_to_repair"
    OVER = "over"
    QUESTION_OPEN = "question_open"
    TASKS_OPEN = "tasks_open"
    WRONG_ORDER = "wrong_order"

    # another request was first (409)
    KEYBOARD_TAKEN = "keyboard_taken"
    LOST_RACE = "lost_race"
    MOVED_ON = "moved_on"
    OTHER_EPOCH = "other_epoch"
    OTHER_INCARNATION = "other_incarnation"
    REPEATED = "repeated"

    # the request itself (404, 422, 429)
    AMBIGUOUS = "ambiguous"
    FULL = "full"
    MALFORMED = "malformed"
    UNKNOWN = "unknown"

    # who asks, and from where (401, 403, 421)
    BAD_CODE = "bad_code"
    CROSS_SITE = "cross_site"
    FOREIGN_ORIGIN = "foreign_origin"
    NO_TOKEN = "no_token"
    KEY_REVOKED = "key_revoked"
    NOT_ALLOWED = "not_allowed"
    NOT_OPENED = "not_opened"
    NOT_TAKEN = "not_taken"
    WRONG_HOST = "wrong_host"

    # HTTP itself (400, 405, 408, 413, 415, 429, 431)
    HEADERS_TOO_LARGE = "headers_too_large"
    HTTP = "http"
    NO_OPTIONS = "no_options"
    TOO_LARGE = "too_large"
    TOO_MANY_CODES = "too_many_codes"
    TOO_MANY_LOGINS = "too_many_logins"
    TOO_MANY_STREAMS = "too_many_streams"
    TOO_SLOW = "too_slow"
    TWO_LENGTHS = "two_lengths"
    WRONG_METHOD = "wrong_method"
    WRONG_TYPE = "wrong_type"

    # the runtime cannot (500, 503)
    DAMAGED = "damaged"
    FAILED = "failed"
    NO_ANSWER = "no_answer"
    NO_HOST = "no_host"
    NO_OUTPUT = "no_output"
    SERVED = "served"
    STARTING = "starting"
    STOPPING = "stopping"
    STORE = "store"
    TOO_LONG = "too_long"
    UNREADABLE = "unreadable"
