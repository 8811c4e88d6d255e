"""Facts: what happened, as typed structs.

The journal stores each with its `seq`, and the publisher sends it as `ADDRESS SPACE JSON`.

The journal sets `seq` and `at` inside the transaction that stores the fact; before, they are 0 and
"". A class whose `observed` is true is an observation: the workflow actor of its address decides on
it. The other facts are consequences, for clients that follow the feed.
"""

from typing import get_args

import msgspec

from bus.facts.base import Fact, fact_type
from bus.facts.commits import (
    CommitRejected,
    CommitSeen,
    CommitWaits,
    RefRewritten,
    TaskReopened,
)
from bus.facts.leftovers import WorkflowCleaned, WorkflowForgotten
from bus.facts.limits import (
    LimitOver,
    LimitReached,
    ProviderFailed,
    ProviderLimited,
    ProviderRecovered,
    TerminalCutOff,
    TerminalLimited,
    UsageCounted,
)
from bus.facts.merges import (
    MergeBehind,
    MergeConflict,
    MergeForecast,
    MergeLanded,
    MergeRefused,
    MergeStarted,
    MergeTested,
    RepairOffered,
    ResolutionJudged,
    TargetMoved,
)
from bus.facts.notices import NoticeFailed, NoticeSent
from bus.facts.orchestrator import (
    OrchestratorActed,
    OrchestratorAnswered,
    OrchestratorAsked,
)
from bus.facts.repository import RepositoryChanged, RepositorySettled, TargetElsewhere
from bus.facts.runtime import (
    ActorFailed,
    ActorFailing,
    ActorRestarted,
    RuntimeStarted,
    RuntimeStopped,
)
from bus.facts.statuses import (
    TaskMoved,
    TerminalMoved,
    WorkflowMoved,
)
from bus.facts.tasks import (
    InstructionReplaced,
    PlanChanged,
    TaskAdded,
    TaskBased,
    TaskCancelled,
    TaskChecked,
    TaskWaits,
    TerminalAdded,
)
from bus.facts.terminals import (
    ConversationResumed,
    InstructionDelivered,
    InstructionSent,
    InstructionUnconfirmed,
    LaunchFailed,
    LaunchWaits,
    MemoryShort,
    TerminalAdopted,
    TerminalAnswered,
    TerminalBlocked,
    TerminalExited,
    TerminalGiven,
    TerminalIdle,
    TerminalKept,
    TerminalReady,
    TerminalResumed,
    TerminalStalled,
    TerminalTaken,
    TerminalUnverified,
    TimedOut,
    TurnEnded,
    TurnWithoutCommit,
    WorktreeLost,
)

AnyFact = (
    WorkflowMoved
    | TaskMoved
    | TerminalMoved
    | CommitSeen
    | CommitWaits
    | CommitRejected
    | RefRewritten
    | TaskReopened
    | TaskWaits
    | TaskBased
    | TaskAdded
    | TaskCancelled
    | TaskChecked
    | TerminalAdded
    | InstructionReplaced
    | PlanChanged
    | TerminalReady
    | TerminalUnverified
    | LaunchFailed
    | LaunchWaits
    | MemoryShort
    | WorktreeLost
    | TerminalExited
    | TerminalAdopted
    | InstructionSent
    | InstructionDelivered
    | InstructionUnconfirmed
    | TerminalBlocked
    | ConversationResumed
    | TurnEnded
    | TerminalLimited
    | LimitOver
    | TerminalCutOff
    | UsageCounted
    | LimitReached
    | ProviderLimited
    | ProviderFailed
    | ProviderRecovered
    | TurnWithoutCommit
    | TerminalIdle
    | TerminalKept
    | TerminalStalled
    | TerminalAnswered
    | TerminalTaken
    | TerminalGiven
    | TerminalResumed
    | TimedOut
    | TargetMoved
    | MergeStarted
    | MergeConflict
    | MergeTested
    | ResolutionJudged
    | MergeRefused
    | MergeLanded
    | MergeBehind
    | MergeForecast
    | RepairOffered
    | OrchestratorAsked
    | OrchestratorAnswered
    | OrchestratorActed
    | WorkflowCleaned
    | WorkflowForgotten
    | RepositoryChanged
    | TargetElsewhere
    | RepositorySettled
    | NoticeSent
    | NoticeFailed
    | ActorFailed
    | ActorFailing
    | ActorRestarted
    | RuntimeStarted
    | RuntimeStopped
)

decode_fact = msgspec.json.Decoder(AnyFact).decode
encode_fact = msgspec.json.Encoder().encode

FACT_TYPES = tuple(str(kind.__struct_config__.tag) for kind in get_args(AnyFact))
"""The wire names of all facts."""

__all__ = [
    "FACT_TYPES",
    "ActorFailed",
    "ActorFailing",
    "ActorRestarted",
    "AnyFact",
    "CommitRejected",
    "CommitSeen",
    "CommitWaits",
    "ConversationResumed",
    "Fact",
    "InstructionDelivered",
    "InstructionReplaced",
    "InstructionSent",
    "InstructionUnconfirmed",
    "LaunchFailed",
    "LaunchWaits",
    "LimitOver",
    "LimitReached",
    "MemoryShort",
    "MergeBehind",
    "MergeConflict",
    "MergeForecast",
    "MergeLanded",
    "MergeRefused",
    "MergeStarted",
    "MergeTested",
    "NoticeFailed",
    "NoticeSent",
    "OrchestratorActed",
    "OrchestratorAnswered",
    "OrchestratorAsked",
    "PlanChanged",
    "ProviderFailed",
    "ProviderLimited",
    "ProviderRecovered",
    "RefRewritten",
    "RepairOffered",
    "RepositoryChanged",
    "RepositorySettled",
    "ResolutionJudged",
    "RuntimeStarted",
    "RuntimeStopped",
    "TargetElsewhere",
    "TargetMoved",
    "TaskAdded",
    "TaskBased",
    "TaskCancelled",
    "TaskChecked",
    "TaskMoved",
    "TaskReopened",
    "TaskWaits",
    "TerminalAdded",
    "TerminalAdopted",
    "TerminalAnswered",
    "TerminalBlocked",
    "TerminalCutOff",
    "TerminalExited",
    "TerminalGiven",
    "TerminalIdle",
    "TerminalKept",
    "TerminalLimited",
    "TerminalMoved",
    "TerminalReady",
    "TerminalResumed",
    "TerminalStalled",
    "TerminalTaken",
    "TerminalUnverified",
    "TimedOut",
    "TurnEnded",
    "TurnWithoutCommit",
    "UsageCounted",
    "WorkflowCleaned",
    "WorkflowForgotten",
    "WorkflowMoved",
    "WorktreeLost",
    "decode_fact",
    "encode_fact",
    "fact_type",
]
