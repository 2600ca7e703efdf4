"""An endpoint that does nothing, in the framework that the service uses: what HTTP alone costs.

    python -m benchmarks.nothing

serves it on a free port of 127.0.0.1, and prints its address.
"""

import socket
from typing import Any

import uvicorn
from fastapi import FastAPI, WebSocket
from starlette.websockets import WebSocketDisconnect

app = FastAPI(docs_url=None, redoc_url=None)


@app.post("/nothing")
async def post_nothing() -> dict[str, Any]:
    """An empty answer; the body is not read."""
    return {}


@app.websocket("/nothing")
async def nothing(websocket: WebSocket) -> None:
    """Each message is sent back."""
    await websocket.accept()
    try:
        while True:
            await websocket.send_text(await websocket.receive_text())
    except WebSocketDisconnect:
        return


if __name__ == "__main__":
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        print(f"ready on http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
        config = uvicorn.Config(
            app, log_level="warning", access_log=False, ws_per_message_deflate=False
        )
        uvicorn.Server(config).run(sockets=[listener])
