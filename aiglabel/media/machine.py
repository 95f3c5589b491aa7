"""What the machine gives this process."""

from __future__ import annotations

import os


def cores() -> int:
    """Return how many cores this process may run on: in a container often fewer than there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
