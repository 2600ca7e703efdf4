"""Clients of a service in its own process: a request that must succeed, and open connections."""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import httpx

from tests.service.running import EAGER


def answer(url: str, **body: Any) -> dict[str, Any]:
    response = httpx.post(f"{url}/complete", json=EAGER | body, timeout=240)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


@contextmanager
def connections(url: str, many: int) -> Iterator[dict[int, HTTPConnection]]:
    """Open connections by their own port; each one has had one answer."""
    address = urlsplit(url)
    with ExitStack() as stack:
        opened = {}
        for _ in range(many):
            connection = HTTPConnection(address.hostname or "", address.port, timeout=60)
            stack.enter_context(closing(connection))
            assert lives(connection)
            opened[connection.sock.getsockname()[1]] = connection
        yield opened


def lives(connection: HTTPConnection) -> bool:
    """Whether the worker at the other end still answers."""
    connection.request("GET", "/livez")
    response = connection.getresponse()
    response.read()
    return response.status == 200
