"""A tiny network in the served arithmetic, and one that has learnt "hello"."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from model.checkpoint import load
from model.served import Runtime
from tests.tiny import save_tiny_checkpoint
from training.lecture import hello


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_checkpoint(tmp_path_factory.mktemp("lecture") / "tiny")


@pytest.fixture(scope="session")
def runtime(checkpoint: Path) -> Runtime:
    return Runtime(load(checkpoint))


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """A second thread gains nothing in networks this small, and is slower where cores are busy."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def lesson() -> hello.Lesson:
    return hello.teach()


@pytest.fixture(scope="session")
def taught(lesson: hello.Lesson, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint of the network that has learnt "hello"."""
    folder = tmp_path_factory.mktemp("lecture") / "hello"
    hello.save(lesson, folder)
    return folder
