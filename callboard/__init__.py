"""Callboard as an installed command, `callboard`, and as `python -m callboard`.

This is the one package that an installation adds to an environment. The program itself, with
its packages `actors`, `bus` and `store`, lies in `callboard/app/` and is on the path of its own
processes alone. In a clone there is no `app/`: the program is beside this package.
"""
