"""The fixtures of `host_kit`, for every test here."""

from tests.actors.host.host_kit import *  # noqa: F403
