"""For every test, and for every process that a test starts."""

import os

from hypothesis import HealthCheck, settings

# The program is started a thousand times. Where nothing compiled may be kept, as in many
# containers, each start would compile all of it: three times the work of the start itself.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# How long an example takes says how busy the machine is.
settings.register_profile("callboard", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("callboard")
