"""The other end of `helpers`: `python -m runner.plan.helper`, with a socket as its standard input."""

import contextlib
import marshal
import os
import pickle
import socket
import sys
import threading
import traceback
from queue import SimpleQueue
from typing import NoReturn

from runner.children import socket_of_parent
from runner.plan.helpers import receive, send


def main() -> NoReturn:
    """Answer jobs until the socket closes."""
    connection = socket_of_parent()
    jobs: SimpleQueue[bytearray] = SimpleQueue()
    # Read at once, so that who sends never waits for who answers while that one waits for him.
    threading.Thread(target=_read, args=(connection, jobs), daemon=True).start()
    function = pickle.loads(jobs.get())  # noqa: S301 - from the process that started this one
    while True:
        try:
            answer = marshal.dumps(function(marshal.loads(jobs.get())))  # noqa: S302 - from the process that started this one
        except Exception:
            send(connection, traceback.format_exc().encode("utf-8", "replace"), is_answer=False)
        else:
            send(connection, answer)


def _read(connection: socket.socket, jobs: "SimpleQueue[bytearray]") -> None:
    with contextlib.suppress(OSError):
        while (received := receive(connection)) is not None:
            jobs.put(received[1])
    os._exit(0)  # nobody waits for an answer any more, whatever is being worked on


if __name__ == "__main__":
    try:
        main()
    except OSError:  # who started it is gone
        sys.exit(1)
