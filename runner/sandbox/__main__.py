"""`python -m runner.sandbox`: the child of `process.start`. People use `campaign sandbox`.

The first line of standard input is the options as JSON. Standard input then stays open as long as the parent lives.
"""

import os
import signal
import sys

from runner.base.errors import InputError
from runner.sandbox.options import SandboxOptions
from runner.sandbox.process import READY, serve


def main() -> int:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's
    try:
        serve(_options(), _say_ready, until_stdin_closes=True)
    except InputError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


def _options() -> SandboxOptions:
    # os.read, because what a buffered reader has read ahead would hide the end of standard input.
    line = b""
    while not line.endswith(b"\n") and (more := os.read(0, 65536)):
        line += more
    try:
        return SandboxOptions.from_json(line)
    except (ValueError, TypeError) as error:
        raise InputError.of(f"standard input holds no options: {error}", "use `campaign sandbox`") from error


def _say_ready(base_url: str) -> None:
    sys.stdout.write(f"{READY}{base_url}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
