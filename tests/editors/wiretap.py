"""Stands between the editor and the real service: records the requests, may hold answers back."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx


class Wiretap:
    """Forwards each request to `service` and passes the answer on when `gate` is open."""

    def __init__(self, service: str) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.deleted: list[str] = []
        self.gate = threading.Event()
        self.gate.set()
        tap = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                tap.bodies.append(json.loads(body))
                answer = tap._client.post(
                    service + self.path, content=body, headers={"Content-Type": "application/json"}
                )
                tap.gate.wait()
                self._pass_on(answer)

            def do_DELETE(self) -> None:
                tap.deleted.append(self.path)
                self._pass_on(tap._client.delete(service + self.path))

            def _pass_on(self, answer: httpx.Response) -> None:
                try:
                    self.send_response(answer.status_code)
                    self.end_headers()
                    self.wfile.write(answer.content)
                except OSError:
                    return  # the editor has cancelled

            def log_message(self, *args: Any, **kwargs: Any) -> None:
                """Keeps the test's output clean."""

        self._client = httpx.Client(timeout=20)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        """Lets go of what is held, and stops."""
        self.gate.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._client.close()
