"""The sockets that the service listens on: one alone, or one for each worker on the same port.

Workers that share a socket do not share its connections: whoever wakes first takes them all. With a
socket for each (SO_REUSEPORT) Linux spreads connections over those that listen, and a worker that
ends leaves the others theirs.
"""

import socket
import sys

from service.errors import StartupError

BACKLOG = 2048
# Elsewhere SO_REUSEPORT is missing, or gives all connections to one of the sockets.
SPREADS = sys.platform == "linux"


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens, alone on its port; raises StartupError, one line, if it cannot."""
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
    """Holds a port for the sockets of workers; raises StartupError if somebody else has it.

    It does not listen itself, for nobody would take the connections that wait there. Where
    connections are not spread it listens after all, and is what the workers share.
    """
    listener = listen(host, port)
    if not SPREADS:
        return listener
    # That it could listen without SO_REUSEPORT says that the port is nobody else's. Without
    # SO_REUSEADDR, what holds the port keeps others from it as a socket that listens does.
    with listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        claimed = _beside(listener)
    claimed.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
    return claimed


def of_worker(claimed: socket.socket) -> socket.socket:
    """A worker's own socket on the port that its parent has claimed, for the server to listen on.

    Where the claimed one listens already, it is the one that all share.
    """
    if claimed.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        return claimed
    return _beside(claimed)


def _beside(claimed: socket.socket) -> socket.socket:
    # SO_REUSEADDR goes on to the connections, whose remains must not keep a restart from the port.
    own = socket.socket(claimed.family, socket.SOCK_STREAM)
    own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    own.bind(claimed.getsockname())
    return own
