"""Settings shared by all tests."""

from __future__ import annotations

import os

from hypothesis import settings

# How long one example takes depends on who else uses the machine; a run on a server is to give
# the same result twice.
settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")
