"""The result of a command, and the two ways in which tests run one."""

import subprocess
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class CommandResult:
    """The exit status and the output of a command."""

    status: int
    out: str
    err: str


# Runs the command in this process; takes its arguments, and `stdin` by name.
Command = Callable[..., CommandResult]
# Starts the command in another process; takes its arguments, and environment variables by name.
Start = Callable[..., "subprocess.Popen[bytes]"]
