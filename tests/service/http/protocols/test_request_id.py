"""The header x-request-id, by which a client finds an answer in its own log."""

from pathlib import Path
from typing import Any

import openai
import pytest

from tests.service.running import Service, listening

COMPLETION = {"model": "tiny", "prompt": "a", "max_tokens": 3}


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/completions", COMPLETION, 200),
        ("/v1/completions", COMPLETION | {"stream": True}, 200),
        ("/v1/completions", {"n": 0}, 400),
        ("/v1/completions", {"prompt": "a" * 3_000_000}, 400),
        ("/complete", {"prefix": "a"}, 200),
        ("/infill", {"input_prefix": "", "input_suffix": ""}, 200),
        ("/nowhere", {}, 404),
    ],
)
async def test_every_answer_has_the_requests_own_or_a_new_one(
    memory_service: Service, path: str, body: dict[str, Any], status: int
) -> None:
    http = memory_service.http
    own = await http.post(path, json=body, headers={"X-Request-ID": "a7-Q.42"})
    assert (own.status_code, own.headers.get_list("x-request-id")) == (status, ["a7-Q.42"])
    made = [(await http.post(path, json=body)).headers["x-request-id"] for _ in range(2)]
    assert made[0].startswith("req_")
    assert made[0] != made[1]


@pytest.mark.parametrize("value", [b"", b"a" * 129, b"two words", b"caf\xe9"])
async def test_what_is_no_identifier_is_not_repeated(memory_service: Service, value: bytes) -> None:
    answer = await memory_service.http.get("/livez", headers=[(b"x-request-id", value)])
    assert answer.headers["x-request-id"].startswith("req_")


async def test_openais_client_knows_the_identifier(checkpoint: Path) -> None:
    async with listening(checkpoint=(checkpoint,)) as service:
        url = f"{service.http.base_url}/v1"
        async with openai.AsyncOpenAI(base_url=url, api_key="none") as client:
            made = await client.completions.create(model="tiny", prompt="a")
            assert made._request_id is not None
            assert made._request_id.startswith("req_")
