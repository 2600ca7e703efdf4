"""What running the command gives, and the two ways in which tests run it."""

import subprocess
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class CommandResult:
    """What a run of the command left behind."""

    status: int
    out: str
    err: str


Command = Callable[..., CommandResult]
"""Runs in this process: the arguments, and `stdin`."""
Start = Callable[..., "subprocess.Popen[bytes]"]
"""Starts a process: the arguments, and variables of the environment by name."""
