"""Git: refs, commits, worktrees and merges of one repository.

Plain functions, plain data in and out (paths as `str`, object ids as 40 hex digits, `msgspec`
structs), no threads and no state but a watcher's file descriptor. A repository is named by its
*common* git directory (`Survey.git_dir`), so it does not matter from which worktree it was found.

    repository  open and examine a repository for a plan; `branches`: which names are possible
    worktrees   a task's branch and worktree: make, remove
    pins        keep the state of a worktree under refs/callboard/
    examination is a worktree clean, dirty or unknown? by its `changes`, while nobody is `writing`
    refs        what every branch and worktree points at, now
    watch       when to look again: inotify, kqueue or polling over the `directories` that matter
    history     what a move of a ref means, by the `commits`, their `graph` and the `reflog`
    merge       branches merged in order, in memory; forecast, preview; `conflicts`: their kinds
    automerge   one merge as git makes it, in a `room` with the attributes of a commit
    identity    whose name a merge carries
    settings    which of the user's settings are honoured, pinned or said
    names       names of any bytes as text
    resolution  a conflict laid out for someone to resolve, and its check, `hunks` by hunks
    land        a tested commit becomes the target; checkout brings a clone's files along
    durable     what is written is on the disk before it is told
    command     how the `git` program is run

What needs the user's filters (LFS, line ends), attributes or hooks, and every merge, runs the `git`
program; what only reads objects uses libgit2. Our own commits run no hooks; `land` runs
`reference-transaction`.
"""
