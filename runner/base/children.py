"""Other processes of this program, each a fresh Python at the other end of a socket. Never a fork: polars has threads.

A child reads its socket all the time and ends when that closes, so that it doesn't outlive this process, however this
one ends.
"""

import socket
import subprocess
import sys


class Child:
    """`python -m MODULE`, with its end of the socket as its standard input. Raises OSError when it can't be started."""

    def __init__(self, module: str) -> None:
        self.socket, theirs = socket.socketpair()
        with theirs:
            try:
                self.process = subprocess.Popen(  # noqa: S603 (this very Python, and a module of ours)
                    # -P: a folder named `runner` where the user stands must not be imported instead of this package.
                    [sys.executable, "-P", "-m", module],
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    # Ctrl-C goes to the terminal's whole process group; this process ends it then.
                    start_new_session=True,
                )
            except BaseException:
                self.socket.close()
                raise

    def end(self) -> None:
        """Kill it, if it hasn't ended."""
        self.socket.close()
        self.process.kill()
        self.process.wait()

    def how_it_ended(self) -> str:
        """Wait for its end: "by SIGKILL", "with exit code 1"."""
        import signal

        status = self.process.wait()
        return f"by {signal.Signals(-status).name}" if status < 0 else f"with exit code {status}"


def socket_of_parent() -> socket.socket:
    """In a child: its end of the socket."""
    return socket.socket(fileno=sys.stdin.fileno())
