"""The fastest event loop for this system."""

import asyncio
import sys
from collections.abc import Callable


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """For `asyncio.Runner`: uvloop if the system supports it, else None, which means Python's default loop."""
    if sys.platform == "win32":
        return None
    import uvloop

    return uvloop.new_event_loop
