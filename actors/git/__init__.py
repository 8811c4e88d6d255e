"""Git: refs, commits, worktrees and merges of one repository.

The package has plain functions with plain data in and out: paths as `str`, object ids as 40 hex
digits, `msgspec` structs. It has no threads, and no state but a watch's file descriptor. A
repository is named by its *common* git directory (`Survey.git_dir`), so it does not matter from
which worktree it was found.

    repository  open and examine a repository for a plan; `branches`: check names of branches
    places      find the git directory and the main checkout on the disk
    worktrees   make and remove a task's branch and worktree; `copies`: files that go into it
    pins        keep the state of a worktree under refs/callboard/
    examination say whether a worktree is clean, by its `changes`, while no git is `writing` there
    refs        read what every branch and worktree points at now
    watch       say when to look again: inotify, kqueue or polling; `directories`: what they cover
    history     explain a ref change by the `commits`, their `graph` and the `reflog`
    branch_diff compare a task's branch with its base
    merge       merge branches in order, in memory; forecast, preview; `conflicts`: their kinds
    automerge   make one merge as git does, in a `room` with the attributes of a commit
    identity    find the author of merges
    shared      read what all worktrees share (configuration, hooks); `keeping`: a copy, put back
    settings    say which of the user's settings are honoured, overridden or reported
    converting  keep our git to the filters of the submission
    names       turn names of any bytes into text
    resolution  lay out a conflict for someone to resolve, and check the result by its `hunks`
    kept        keep what a set-up made, for other trees with the same inputs
    tested      make the clone in which the tests run, and compare it with its commit
    intact      check that objects are what their names say
    land        set the target to a tested commit; `checkout`: update the files of a checkout
    reach       say which paths a commit on one branch writes to
    durable     sync a repository to the disk
    stale       remove lock files that killed gits left
    library     open a repository with libgit2
    command     run the `git` program, in the scrubbed `environment`

Whatever needs the user's filters (LFS, line ends), attributes or hooks runs the `git` program, and
so does every merge. Code that only reads objects uses libgit2. Our own commits run no hooks; `land`
runs `reference-transaction`.
"""
