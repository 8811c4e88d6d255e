"""For every test, and for every process that a test starts."""

import os

# The program is started a thousand times. Where nothing compiled may be kept, as in many
# containers, each start would compile all of it: three times the work of the start itself.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
