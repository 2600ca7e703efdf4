"""Bad input: every error is a 4xx in one format that names the field, and never a 500."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.errors import CODES
from service.http.schema import CompleteRequest
from tests.service.running import Service, running

EDIT = {"version": 1, "keep": 0, "append": ""}
SURROGATE = "ab\ud83dcd"


@pytest.mark.parametrize(
    ("body", "status", "code", "field"),
    [
        ({}, 422, "invalid_request", "prefix"),
        ({"prefix": "a", "edit": EDIT}, 422, "invalid_request", "prefix"),
        ({"prefix": 5}, 422, "invalid_request", "prefix"),
        ({"prefix": ["a"]}, 422, "invalid_request", "prefix"),
        ({"prefix": "a", "max_chars": "5"}, 422, "invalid_request", "max_chars"),
        ({"prefix": "a", "max_chars": True}, 422, "invalid_request", "max_chars"),
        ({"prefix": "a", "max_chars": -1}, 422, "invalid_request", "max_chars"),
        ({"prefix": "a", "min_confidence": 1.5}, 422, "invalid_request", "min_confidence"),
        ({"prefix": "a", "top": 100_000}, 422, "invalid_request", "top"),
        ({"prefix": "a", "stop": "x"}, 422, "invalid_request", "stop"),
        ({"prefix": "a", "stop": [""]}, 422, "invalid_request", "stop.0"),
        ({"prefix": "a", "surname": 1}, 422, "invalid_request", "surname"),
        ({"edit": EDIT | {"surname": 1}}, 422, "invalid_request", "edit.surname"),
        ({"edit": {"version": 1, "keep": 0}}, 422, "invalid_request", "edit.append"),
        ({"edit": EDIT | {"keep": -1}}, 422, "invalid_request", "edit.keep"),
        ({"edit": EDIT | {"version": 2**53}}, 422, "invalid_request", "edit.version"),
        ({"edit": EDIT | {"append": SURROGATE}}, 422, "invalid_request", "edit.append"),
        ({"prefix": SURROGATE}, 422, "invalid_request", "prefix"),
        ({"prefix": "a", "suffix": SURROGATE}, 422, "invalid_request", "suffix"),
        ({"prefix": "a", "stop": ["a", SURROGATE]}, 422, "invalid_request", "stop.1"),
        ({"prefix": "a", "session": "s" * 129}, 422, "invalid_request", "session"),
        ({"prefix": "a", "session": ""}, 422, "invalid_request", "session"),
        ({"prefix": "a", "session": "a b"}, 422, "invalid_request", "session"),
        ({"prefix": "a", "session": "a\n"}, 422, "invalid_request", "session"),
        ({"prefix": "a", "model": "no such"}, 404, "unknown_model", "model"),
        ({"prefix": "a", "model": SURROGATE}, 404, "unknown_model", "model"),
        ({"prefix": "a", "n": 0}, 422, "invalid_request", "n"),
        ({"prefix": "a", "n": 17}, 422, "invalid_request", "n"),
        ({"prefix": "a", "temperature": -1}, 422, "invalid_request", "temperature"),
        ({"prefix": "a", "top_k": -1}, 422, "invalid_request", "top_k"),
        ({"prefix": "a", "top_p": 0}, 422, "invalid_request", "top_p"),
        ({"prefix": "a", "min_p": 2}, 422, "invalid_request", "min_p"),
        ({"prefix": "a", "seed": 2**53}, 422, "invalid_request", "seed"),
        ({"prefix": "a", "max_lines": 0}, 422, "invalid_request", "max_lines"),
        ({"prefix": "a", "max_lines": 1.5}, 422, "invalid_request", "max_lines"),
        ({"prefix": "a", "trigger": "always"}, 422, "invalid_request", "trigger"),
        ({"prefix": "a", "stream": 1}, 422, "invalid_request", "stream"),
        ({"prefix": "a" * 200_001}, 413, "too_large", "prefix"),
        ({"edit": EDIT | {"append": "a" * 200_001}}, 413, "too_large", "edit.append"),
        ({"prefix": "a", "suffix": "a" * 200_001}, 413, "too_large", "suffix"),
        ({"prefix": "a" * 3_000_000}, 413, "too_large", "prefix"),
        ({"edit": EDIT | {"append": '"prefix": "' * 400_000}}, 413, "too_large", "edit.append"),
        ({"prefix": "a", "suffix": "a" * 3_000_000}, 413, "too_large", "suffix"),
        ({"odd": "a" * 3_000_000}, 413, "too_large", "body"),
        ([], 422, "invalid_request", "body"),
        ("text", 422, "invalid_request", "body"),
        (None, 422, "invalid_request", "body"),
    ],
)
async def test_a_bad_request_names_its_field(
    memory_service: Service, body: Any, status: int, code: str, field: str
) -> None:
    response = await memory_service.http.post("/complete", content=json.dumps(body))
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["field"]) == (status, code, field)
    assert CODES[code].status == status
    assert set(error) == {"code", "message", "field"}
    assert "cd" not in error["message"]


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"prefix=a",
        b"\xff\xfe",
        b'{"prefix": "a\xff"}',
        b"[" * 100_000,
        b'{"prefix": "a", "top": %s}' % (b"9" * 5000),
        b'{"prefix": "a"} x',
    ],
)
async def test_a_body_that_is_no_json_is_a_400(memory_service: Service, body: bytes) -> None:
    response = await memory_service.http.post("/complete", content=body)
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (400, "invalid_json")
    assert error["field"] == "body"


@pytest.mark.parametrize("value", [b"NaN", b"Infinity", b"1e999"])
async def test_a_number_that_is_none_is_refused(memory_service: Service, value: bytes) -> None:
    body = b'{"prefix": "a", "min_confidence": %s}' % value
    response = await memory_service.http.post("/complete", content=body)
    assert response.status_code == 422
    assert response.json()["error"]["field"] == "min_confidence"


async def test_an_unknown_field_with_an_odd_name_is_refused(memory_service: Service) -> None:
    for name in ("\\ud800", "x" * 10_000):
        body = f'{{"prefix": "a", "{name}": 1}}'
        response = await memory_service.http.post("/complete", content=body)
        assert response.status_code == 422
        assert len(response.content) < 1000


async def test_an_editor_without_a_content_type_is_served(memory_service: Service) -> None:
    response = await memory_service.http.post("/complete", content=b'{"prefix": "a"}')
    assert "content-type" not in response.request.headers
    assert response.status_code == 200


async def test_a_body_declared_as_something_else_is_refused(memory_service: Service) -> None:
    headers = {"content-type": "text/plain"}
    body = b'{"prefix": "a"}'
    response = await memory_service.http.post("/complete", content=body, headers=headers)
    assert response.status_code == 415
    assert response.json()["error"]["code"] == "unsupported_media_type"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("GET", "/complete", 405, "method_not_allowed"),
        ("GET", "/sessions/a", 405, "method_not_allowed"),
        ("DELETE", "/sessions/a%20b", 422, "invalid_request"),
        ("DELETE", "/sessions/" + "s" * 129, 422, "invalid_request"),
        ("DELETE", "/sessions/a/b", 404, "not_found"),
    ],
)
async def test_what_is_not_there_answers_in_the_format(
    memory_service: Service, method: str, path: str, status: int, code: str
) -> None:
    response = await memory_service.http.request(method, path)
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)


async def test_a_fault_answers_in_the_format_and_logs_no_text(
    memory_service: Service, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # A client cannot cause a 500, so the test causes one: it removes the sessions' storage.
    monkeypatch.setattr(memory_service.resources.completions, "_storage", None)
    response = await memory_service.http.post("/complete", json={"prefix": "my secret"})
    assert response.status_code == 500
    assert response.json()["error"]["code"] == "internal"
    assert "AttributeError" in caplog.text
    assert "completions.py" in caplog.text
    assert "secret" not in caplog.text


async def test_every_code_is_in_the_description(memory_service: Service) -> None:
    description = (await memory_service.http.get("/openapi.json")).json()
    for code in CODES:
        assert f"`{code}`" in description["info"]["description"]
    responses = description["paths"]["/complete"]["post"]["responses"]
    assert set(responses) == {"200", "400", "404", "409", "413", "415", "422", "503"}
    schema = description["components"]["schemas"]["CompleteRequest"]
    assert schema["examples"]
    assert {"n", "temperature", "trigger", "stream"} < set(schema["properties"])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
FIELDS = st.sampled_from(sorted(CompleteRequest.model_fields))


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(body=JSON | st.dictionaries(FIELDS, JSON, max_size=4))
async def test_nothing_a_client_sends_is_a_500(memory_service: Service, body: Any) -> None:
    response = await memory_service.http.post("/complete", content=json.dumps(body))
    assert response.status_code < 500
    if response.status_code >= 400:
        assert set(response.json()["error"]) >= {"code", "message", "field"}


async def test_a_character_that_a_model_cannot_spell_names_the_text(tmp_path: Any) -> None:
    import numpy as np

    from model.checkpoint import expected_shapes, save
    from model.network.config import NetworkConfig

    config = NetworkConfig("elman", 1, 16, "helo", byte_fallback=False)
    weights = {name: np.zeros(shape, np.float32) for name, shape in expected_shapes(config).items()}
    save(tmp_path / "hello", config, weights, {})
    async with running(checkpoint=(tmp_path / "hello",)) as service:
        assert (await service.complete(session="s", prefix="hell"))["length"] == 4
        status, error = await service.refused(prefix="hex")
        assert (status, error["code"], error["field"]) == (422, "invalid_request", "prefix")
