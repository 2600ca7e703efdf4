"""The sockets that the service listens on: a single one, or one for each worker on the same port.

Workers that share a socket do not share its connections evenly: the worker that wakes first accepts
them all. If each worker has its own socket (SO_REUSEPORT), Linux spreads the connections over the
sockets that listen, and a worker that ends takes only its own connections with it.
"""

import socket
import sys

from service.errors import StartupError

# How many connections may wait to be accepted.
BACKLOG = 2048
# Whether the system spreads connections over the sockets of one port. Systems other than Linux lack
# SO_REUSEPORT, or give all connections to one of the sockets.
SPREADS = sys.platform == "linux"


def listen(host: str, port: int) -> socket.socket:
    """A socket that has its port to itself; raises StartupError, with one line, if it cannot."""
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
    """A socket that reserves a port for the workers; raises StartupError if the port is taken.

    This socket does not listen, because nobody would accept the connections that wait on it. On
    systems that do not spread connections it does listen, and all workers share it.
    """
    listener = listen(host, port)
    if not SPREADS:
        return listener
    # Listening without SO_REUSEPORT has shown that the port is free. The claiming socket loses
    # SO_REUSEADDR at the end, so that no other program can take the port. A listening socket would
    # have the same effect.
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
    """A further socket on the same address."""
    # Accepted connections inherit SO_REUSEADDR. Without it, connections that are still closing
    # would keep a restarted service from binding the port.
    own = socket.socket(claimed.family, socket.SOCK_STREAM)
    own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    own.bind(claimed.getsockname())
    return own
