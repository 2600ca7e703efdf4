"""The sockets that the service listens on: one alone, or one for each worker on the same port.

Workers that share a socket do not share its connections evenly: the worker that wakes first takes
them all. If each has a socket of its own (SO_REUSEPORT), Linux spreads connections over the ones
that listen, and a worker that ends takes only its own connections with it.
"""

import socket
import sys

from service.errors import StartupError

# How many connections may wait to be accepted.
BACKLOG = 2048
# Other systems lack SO_REUSEPORT, or give all connections to one of the sockets.
SPREADS = sys.platform == "linux"


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens alone on its port; raises StartupError, one line, if it cannot."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise StartupError(
            f"cannot listen on {host}, port {port}: {error.strerror}; "
            "stop what listens there, or set NEXTCHAR_HOST or NEXTCHAR_PORT"
        ) from None
    return listener


def claim(host: str, port: int) -> socket.socket:
    """A socket that holds a port for the workers' sockets; raises StartupError if it is taken.

    It does not listen itself, because nobody would accept the connections that wait there. On
    systems that do not spread connections it does listen, and all workers share it.
    """
    listener = listen(host, port)
    if not SPREADS:
        return listener
    # Listening without SO_REUSEPORT has shown that the port is free. A claim without SO_REUSEADDR
    # keeps others from the port just as a listening socket would.
    with listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        claimed = _beside(listener)
    claimed.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
    return claimed


def of_worker(claimed: socket.socket) -> socket.socket:
    """A worker's own socket on the port that its parent has claimed, for its server to listen on.

    If the claimed socket listens itself, it is the one that all workers share.
    """
    if claimed.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        return claimed
    return _beside(claimed)


def _beside(claimed: socket.socket) -> socket.socket:
    # Connections inherit SO_REUSEADDR. Without it, those that are still closing would keep the port
    # from a service that restarts.
    own = socket.socket(claimed.family, socket.SOCK_STREAM)
    own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    own.bind(claimed.getsockname())
    return own
