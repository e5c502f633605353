"""The installed command as a process of its own that doesn't load anything first: a fork of one that has.

Loading libraries is most of what a start costs: a `campaign plan` of five takes 1.0 s of processor time without this,
and 0.3 s with it (`time campaign plan`). Arguments, folder, environment, standard streams, signals, session and exit
are as after a start. Tests of loading itself, and of variables that Python reads at its start, need a real one.
"""

import atexit
import ctypes
import functools
import json
import os
import socket
import subprocess
import sys
from typing import Any

# What the commands load. A library that is missing here is loaded by each process again.
LOADED = (
    "altair", "babel.numbers", "great_tables", "multiprocessing.connection", "phonenumbers", "polars", "rich.live",
    "rich.table", "runner.cli.run", "runner.cli.status", "runner.receipts.server", "runner.report.page",
    "runner.run.feedback", "runner.run.receipts", "sqlalchemy.dialects.sqlite", "uvloop", "vl_convert", "xlsxwriter",
)  # fmt: skip
# Forks for each request. Its other threads are polars' and idle, because nothing has used polars yet.
SERVER = """
import gc, importlib, json, os, socket, sys, time
from runner.cli.main import main
server = socket.socket(fileno=int(sys.argv[1]))
gc.set_threshold(10_000)
for name in sys.argv[2:]:
    importlib.import_module(name)
gc.freeze()
while True:
    request, fds, *_ = socket.recv_fds(server, 1 << 20, 3)
    if not request:
        os._exit(0)
    if os.fork():
        os.wait()
        for fd in fds:
            os.close(fd)
        server.send(b"its parent has ended")
        continue
    if pid := os.fork():
        server.send(b"%d" % pid)
        os._exit(0)
    break
server.close()
arguments, folder, environment, is_at_terminal = json.loads(request)
if is_at_terminal:
    os.login_tty(os.dup(fds[0]))
for number, fd in enumerate(fds):
    os.dup2(fd, number)
    os.close(fd)
sys.stdout.reconfigure(line_buffering=os.isatty(1))
os.chdir(folder)
os.environ.clear()
os.environ.update(environment)
time.tzset()
sys.argv = arguments
main()
"""
PARENT_HAS_ENDED = b"its parent has ended"
# Of prctl(2).
PR_SET_CHILD_SUBREAPER = 36


if sys.platform == "linux":

    @functools.cache
    def server() -> socket.socket:
        """The connection to the process that has loaded everything. It ends when the connection does."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        theirs.set_inheritable(True)
        os.posix_spawn(
            sys.executable,
            # Python 3.12 warns of forks beside threads; see SERVER.
            [sys.executable, "-P", "-W", "ignore::DeprecationWarning", "-c", SERVER, str(theirs.fileno()), *LOADED],
            {"PATH": os.environ["PATH"]},
            file_actions=[(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)],
        )
        theirs.close()
        atexit.register(ours.close)
        return ours

    class Command(subprocess.Popen[Any]):
        """Popen for the installed command. In a new session, standard input becomes its terminal."""

        def _execute_child(self, *given: Any) -> None:  # noqa: ANN401 (as in Popen)
            """What Popen calls to start a process, with all its arguments by place."""
            arguments, cwd, environment, pipes, is_new_session = given[0], given[5], given[6], given[10:16], given[21]
            streams = [number if end == -1 else end for number, end in enumerate((pipes[0], pipes[3], pipes[5]))]
            request = json.dumps([arguments, str(cwd), environment, is_new_session]).encode()
            # Popen waits for children of this process only. The new one's parent ends at once, and then it gets the
            # nearest process above that asked for such children.
            libc = ctypes.CDLL(None)
            libc.prctl(PR_SET_CHILD_SUBREAPER, 1)
            socket.send_fds(server(), [request], streams)
            self.pid = int(server().recv(32))
            assert PARENT_HAS_ENDED == server().recv(32)
            libc.prctl(PR_SET_CHILD_SUBREAPER, 0)
            self._child_created = True
            self._close_pipe_fds(*pipes)  # type: ignore[attr-defined]

else:
    Command = subprocess.Popen[Any]
