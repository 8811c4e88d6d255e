"""The fixtures of `host_kit`, for every test here."""

from host_kit import *  # noqa: F403
