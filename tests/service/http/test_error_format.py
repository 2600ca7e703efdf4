"""error_format: every route answers its errors in the format of its protocol."""

from collections import defaultdict
from itertools import product
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import BaseModel

from service.http.app import create_app
from service.settings import load

LARGE = b'{"prefix": "' + b"a" * 3_000_000


@pytest.fixture
def app(checkpoint: Path) -> FastAPI:
    """An application that never starts, so that every request which needs its resources fails."""
    return create_app(load(checkpoint=(checkpoint,)))


def models_of_errors(app: FastAPI) -> list[tuple[APIRoute, type[BaseModel]]]:
    """Each route with the error model that the routes of its protocol declare."""
    routes = [route for route in app.routes if isinstance(route, APIRoute)]
    declared: dict[str, set[type[BaseModel]]] = defaultdict(set)
    for route in routes:
        said = (entry.get("model") for entry in route.responses.values())
        declared[str(route.tags)] |= {model for model in said if model}
    assert all(len(models) == 1 for models in declared.values()), declared
    return [(route, next(iter(declared[str(route.tags)]))) for route in routes]


async def test_every_route_answers_in_the_format_that_its_protocol_describes(app: FastAPI) -> None:
    transport = httpx.ASGITransport(app=app)
    faults = 0
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as http:
        for route, model in models_of_errors(app):
            path = route.path_format.replace("{session}", "a").replace("{model}", "a")
            methods = {"PATCH", *(route.methods or ())} - {"HEAD"}
            for method, content in product(sorted(methods), (b"{", b"[]", LARGE)):
                answer = await http.request(method, path, content=content)
                if answer.status_code < 400:
                    # These two need nothing that starts.
                    assert (method, path) in (("GET", "/livez"), ("GET", "/tokenizer_info"))
                    continue
                faults += answer.status_code == 500
                body = model.model_validate_json(answer.content)
                error = body.model_dump()["error"]
                assert set(answer.json()["error"]) <= set(error), path
    assert faults > 4


async def test_an_unknown_path_answers_in_the_format_of_the_paths_beside_it(
    app: FastAPI,
) -> None:
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as http:
        assert (await http.get("/nowhere")).json()["error"]["code"] == "not_found"
        assert (await http.get("/v1")).json()["error"]["code"] == "not_found"
        assert (await http.get("/v1/nowhere")).json()["error"]["code"] == "unknown_url"
