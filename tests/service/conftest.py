"""Fixtures: the service in this process, and what it needs, with tiny checkpoints."""

import gc
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from model.checkpoint import load
from model.served import Runtime
from tests.service.running import PATIENT, Service, running
from tests.tiny import save_tiny_checkpoint


@pytest.fixture(scope="module", autouse=True)
def short_collections() -> Iterator[None]:
    """Keeps garbage collections short, because some of these tests measure delays.

    Half a million objects of modules and of earlier tests would stop the process for over half a
    second at each full collection. Frozen ones are not looked at.
    """
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_checkpoint(tmp_path_factory.mktemp("checkpoints") / "tiny")


@pytest.fixture(scope="session")
def other_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_checkpoint(tmp_path_factory.mktemp("checkpoints") / "other", seed=1)


@pytest.fixture(scope="session")
def runtime(checkpoint: Path) -> Runtime:
    return Runtime(load(checkpoint))


@pytest.fixture(params=["memory", "redis"])
def store_url(request: pytest.FixtureRequest) -> str:
    """The address of each kind of store; the store is empty."""
    if request.param == "memory":
        return "memory://"
    url: str = request.getfixturevalue("redis_url")
    return url


@pytest.fixture
def options(checkpoint: Path, other_checkpoint: Path) -> dict[str, Any]:
    """The service's settings, unless a test overrides them."""
    return {"checkpoint": (checkpoint, other_checkpoint), "store_timeout_seconds": PATIENT}


@pytest.fixture
async def service(options: dict[str, Any], store_url: str) -> AsyncIterator[Service]:
    """The service on each kind of store."""
    async with running(**options, store=store_url) as started:
        yield started


@pytest.fixture
async def memory_service(options: dict[str, Any]) -> AsyncIterator[Service]:
    """The service with its sessions in memory."""
    async with running(**options) as started:
        yield started
