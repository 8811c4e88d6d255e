"""The environment variables of our own git and of the tests, which run code of the repository."""

import os
from typing import Final

from bus.environment import SECRET_NAMES, is_one_of, keys_of_providers, with_plans
from bus.plan import Plan

# The variables that git treats as local to one repository (`git rev-parse --local-env-vars`).
# Callboard may be started from a hook or from `git rebase --exec`, where they name another
# repository.
LOCAL_VARIABLES: Final = frozenset(
    {
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_COMMON_DIR",
        "GIT_CONFIG",
        "GIT_CONFIG_COUNT",
        "GIT_CONFIG_PARAMETERS",
        "GIT_DIR",
        "GIT_GRAFT_FILE",
        "GIT_IMPLICIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_NAMESPACE",
        "GIT_NO_REPLACE_OBJECTS",
        "GIT_OBJECT_DIRECTORY",
        "GIT_PREFIX",
        "GIT_REPLACE_REF_BASE",
        "GIT_SHALLOW_FILE",
        "GIT_WORK_TREE",
    }
)

# The variables of the user's environment that our own git gets. The repository's filters, merge
# drivers and hooks get them, too: they find the user's programs, identity, agents (SSH, GnuPG) and
# network settings, but no key of a provider.
PASSED: Final = tuple(
    name
    for line in (
        "PATH HOME USER LOGNAME SHELL TZ LANG LANGUAGE LC_* TMPDIR XDG_* TERM",
        "LD_LIBRARY_PATH DYLD_* DEVELOPER_DIR NIX_* PYENV_ROOT NVM_DIR ASDF_* MISE_*",
        "SSH_AUTH_SOCK SSH_AGENT_PID GNUPGHOME GPG_TTY GIT_AUTHOR_* GIT_COMMITTER_*",
        "GIT_SSH GIT_SSH_COMMAND GIT_ASKPASS GIT_CONFIG_GLOBAL GIT_CONFIG_SYSTEM",
        "GIT_CONFIG_NOSYSTEM GIT_EXEC_PATH GIT_LFS_* GIT_CEILING_DIRECTORIES EMAIL",
        "HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY http_proxy https_proxy all_proxy no_proxy",
        "SSL_CERT_FILE SSL_CERT_DIR CURL_CA_BUNDLE GIT_SSL_*",
    )
    for name in line.split()
)

MORE: Final = "CALLBOARD_GIT_ENV"
"""The variable in which a user lists more names, or patterns, that git gets; by commas."""


def git_env() -> dict[str, str]:
    """Return the variables of the runtime's environment that our own git gets."""
    more = [name.strip() for name in os.environ.get(MORE, "").split(",") if name.strip()]
    return {
        name: value
        for name, value in os.environ.items()
        if name not in LOCAL_VARIABLES and is_one_of(name, (*PASSED, *more))
    }


def project_env(plan: Plan) -> dict[str, str]:
    """Return the environment of a plan's tests.

    It is the runtime's environment with the variables of the plan, but without variables that look
    like keys (`SECRET_NAMES`), without the keys of the plan's and the user's providers, of its
    orchestrator and of its notices, and without those that point git at another repository.
    Variables that the plan names in `test_env` always pass.
    """
    keys = keys_of_providers() | {provider.api_key_env for provider in plan.provider.values()}
    keys |= {plan.orchestrator.api_key_env} if plan.orchestrator is not None else set()
    keys |= {plan.notify.secret_env} if plan.notify is not None else set()
    return {
        name: value
        for name, value in with_plans(plan.environment).items()
        if name in plan.test_env
        or not (name in keys or name in LOCAL_VARIABLES or is_one_of(name.upper(), SECRET_NAMES))
    }
