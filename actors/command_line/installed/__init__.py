"""Callboard as an installed command, `callboard`, and as `python -m callboard`.

This directory becomes the package `callboard` of a wheel (`pyproject.toml`), the only package that
an installation adds to an environment. The program, with its packages `actors`, `bus` and `store`,
is in `callboard/app/`. Only Callboard's own processes have that directory on their path.
"""
