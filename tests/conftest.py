"""What holds for every test."""

from hypothesis import settings

# A machine that stands still for a moment is no fault of what is tested: no example has a deadline.
settings.register_profile("edge", deadline=None)
settings.load_profile("edge")
