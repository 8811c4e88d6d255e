"""Show facts to a person: one line each, and the longer texts that a fact carries."""

import shlex
from datetime import datetime

from actors.command_line.output.actions import command_for
from actors.command_line.output.times import when
from bus import facts
from bus.action import Action, Do
from bus.facts import AnyFact, fact_type


def line(fact: AnyFact, now: datetime | None = None) -> str:
    """Return a fact as one line, with its date if that is not the day of `now` (else today).

    For example `17 12:00:00Z terminal.status demo/login/1/ waiting -> running: gets its
    instruction`.
    """
    return f"{fact.seq:>5} {when(fact.at, now)} {fact_type(fact):<22} {fact.address} {said(fact)}"


def said(fact: AnyFact) -> str:
    """Return what a fact says beyond its type and address, on one line."""
    match fact:
        case facts.WorkflowMoved() | facts.TaskMoved() | facts.TerminalMoved():
            old = f"{fact.old} -> " if fact.old else ""
            because = f": {fact.reason}" if fact.reason else ""
            return one_line(f"{old}{fact.new}{because}")
        case facts.CommitSeen():
            word = f" [{fact.verdict}]" if fact.verdict else ""
            where = f" on {fact.branch}" if fact.branch else ""  # a merge has none
            return one_line(f"{fact.commit[:12]}{where}: {fact.subject}{word}")
        case facts.CommitWaits():
            return one_line(f"{fact.commit[:12]} is not judged yet: {fact.reason}")
        case facts.CommitRejected():
            return one_line(f"{fact.commit[:12]}: {fact.reason}")
        case facts.TaskWaits() | facts.MemoryShort():
            return one_line(fact.reason)
        case facts.TaskAdded():
            after = f", after {', '.join(fact.after)}" if fact.after else ""
            return one_line(f"on {fact.branch}{after}")
        case facts.TaskCancelled():
            after = f"; after it come {', '.join(fact.dependants)}" if fact.dependants else ""
            return one_line(f"{fact.branch} stays at {fact.commit[:12] or 'no commit'}{after}")
        case facts.TerminalAdded():
            return one_line(f"{fact.cli}, {fact.role}")
        case facts.InstructionReplaced():
            return f"{fact.bytes} bytes"
        case facts.PlanChanged():
            values = [f"{key} = {_value(value)}" for key, value in fact.changes.items()]
            return one_line(", ".join(values))
        case facts.TaskBased():
            return f"begins at {fact.commit[:12]}, with {', '.join(fact.branches)}"
        case facts.MergeStarted():
            return f"{', '.join(fact.branches)} into {fact.target} as {fact.commit[:12]}"
        case facts.MergeTested() | facts.TaskChecked():
            how = "green" if fact.passed else f"red (status {fact.status})"
            return f"{how} on {fact.commit[:12]} in {fact.seconds:.1f} s"
        case facts.MergeLanded():
            return f"{fact.target}: {fact.old[:12]} -> {fact.new[:12]}"
        case facts.MergeConflict():
            against = ", ".join(fact.against)
            return f"{fact.branch} with {against} in {', '.join(fact.files)}: {fact.worktree}"
        case facts.MergeForecast():
            return foreseen(fact.branches, fact.files)
        case facts.MergeRefused():
            return one_line(f"{fact.reason}: {fact.message}")
        case facts.TargetMoved():
            return f"{fact.target}: {fact.old[:12]} -> {fact.new[:12]}; it is merged again"
        case facts.ResolutionJudged():
            first = next(iter(fact.problems), "")
            return one_line(f"{fact.commit[:12]} {f'has faults: {first}' if first else 'is taken'}")
        case facts.TerminalExited():
            return _ended(fact)
        case facts.LaunchFailed():
            steps = map(command_for, fact.actions)
            return "; ".join([one_line(fact.reason), *steps])
        case facts.TerminalBlocked():
            return f"asks ({fact.prompt}): {' | '.join(fact.choices)}"
        case facts.RepositoryChanged():
            held = "; nothing lands until a person has looked" if fact.held else ""
            return one_line(f"{', '.join(fact.files) or 'the copy'}{held}")
        case facts.TargetElsewhere():
            by = f"{fact.who or 'somebody'}{f' ({fact.how})' if fact.how else ''}"
            what = f"{'forced, ' if fact.forced else ''}{fact.count} commits, by {by}"
            return one_line(f"{fact.ref}: {fact.old[:12]} -> {fact.new[:12]}, {what}")
        case facts.TerminalKept():
            return "waits, stopped, for a judgement" if fact.stopped else "its turn does not end"
        case facts.TurnWithoutCommit():
            return one_line(fact.missing)
        case facts.TerminalIdle():
            return one_line(f"waits for a person: no commit that counts: {fact.missing}")
        case facts.TerminalLimited() | facts.ProviderLimited() | facts.ProviderFailed():
            return one_line(_limit(fact))
        case facts.UsageCounted():
            return f"{fact.input} in, {fact.output} out, {fact.requests} requests, {fact.account}"
        case facts.TerminalCutOff():
            return one_line(
                "the model gateway moved; when it stands still: "
                f"{command_for(Action(Do.RETRY, fact.address))}"
            )
        case facts.LimitReached():
            return f"{fact.percent} % of {fact.cap:g} {fact.of}: {fact.used:g}"
        case facts.NoticeSent():
            return one_line(f"{len(fact.seqs)} facts to {fact.to}")
        case facts.NoticeFailed():
            again = "" if fact.given_up else ", and is tried again"
            return one_line(f"{fact.to} was not told{again}: {fact.reason}")
        case facts.TerminalStalled():
            return f"silent for {fact.seconds:.0f} s"
        case facts.WorkflowCleaned():
            stays = f"; kept: {', '.join(fact.kept)}" if fact.kept else ""
            return one_line(f"removed: {', '.join(fact.removed)}{stays}")
        case facts.OrchestratorAsked():
            return one_line(f"question {fact.question} to {fact.model}: {', '.join(fact.causes)}")
        case facts.OrchestratorAnswered():
            return one_line(f"question {fact.question}: {_answer(fact)}")
        case facts.OrchestratorActed():
            how = "" if fact.accepted else "not carried out, "
            choices = f" ({' | '.join(fact.choices)})" if fact.choices else ""
            about = f" {fact.about}" if fact.about else ""
            return one_line(f"{how}{fact.action}{about}: {fact.said}{choices}")
        case facts.RepairOffered():
            return "; ".join([*map(command_for, fact.actions), *fact.commands])
    hidden = {"seq", "at", "address", "incarnation"}
    values = [
        f"{name}={getattr(fact, name)}" for name in fact.__struct_fields__ if name not in hidden
    ]
    return one_line(" ".join(values))


def _limit(fact: facts.TerminalLimited | facts.ProviderLimited | facts.ProviderFailed) -> str:
    about = "" if fact.exact else "about "
    until = f"until {about}{when(fact.until)}" if fact.until else "until a person helps"
    return f"{fact.by}, {fact.account}, {until}: {getattr(fact, 'text', '')}".removesuffix(": ")


def _answer(fact: facts.OrchestratorAnswered) -> str:
    tokens = f"{fact.tokens_in} in, {fact.tokens_out} out, {fact.seconds:.1f} s"
    if fact.error:
        return f"no decision ({fact.error}); {tokens}"
    reason = fact.proposal.get("reason", "")
    return f"{fact.proposal.get('action')}: {reason}; {fact.model}, {tokens}"


def _ended(fact: facts.TerminalExited) -> str:
    how = {"exited": "exit status", "signaled": "ended by signal", "exec_failed": "errno"}
    status = f" {fact.status}" if fact.kind in how else ""
    left = f"; {fact.leftovers} processes were left" if fact.leftovers else ""
    return f"{how.get(fact.kind, fact.kind)}{status}{left}"


def foreseen(branches: list[str], files: list[str]) -> str:
    """Return a forecast of a merge as a sentence. Without `files` there is no conflict."""
    names = " and ".join(branches)
    if not files:
        return f"{names} would merge again"
    return f"{names} would conflict in {', '.join(files)}"


def one_line(text: str, limit: int = 200) -> str:
    """Return `text` as one printable line of at most `limit` characters."""
    flat = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"


_TEXTS = ("evidence", "screen", "tail", "text", "issues", "diff")


def carried(fact: AnyFact) -> list[str]:
    """Return the longer texts of a fact, such as a screen or the output of a test."""
    texts = [getattr(fact, name, "") for name in _TEXTS]
    if isinstance(fact, facts.MergeTested):
        whole = f"cat {shlex.quote(fact.output)}/*"
        texts.insert(0, f"{shlex.join(fact.command)}; all of its output: {whole}")
    if isinstance(fact, facts.ResolutionJudged):
        texts += [f"- {problem}" for problem in fact.problems]
    if isinstance(fact, facts.LaunchFailed | facts.MergeRefused):
        texts.append(getattr(fact, "message", "") or getattr(fact, "reason", ""))
    if isinstance(fact, facts.OrchestratorAnswered):
        texts.append(str(fact.proposal.get("text", "")))
    return [text for text in texts if text.strip()]


def _value(value: object) -> str:
    """Return a key's value for a person; a list as words."""
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
