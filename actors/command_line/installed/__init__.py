"""Callboard as an installed command, `callboard`, and as `python -m callboard`.

This folder is the package `callboard` of a wheel (`pyproject.toml`), the only one that an
installation adds to an environment. The program itself, with its packages `actors`, `bus` and
`store`, lies in `callboard/app/` and is on the path of its own processes alone.
"""
