"""A running service, and Neovim with the plugin."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from loadtest.servers import running_service
from tests.editors.editor import Editor
from tests.editors.recording_proxy import RecordingProxy
from tests.tiny import save_tiny_checkpoint

# With these options any network suggests something everywhere, so that tests need no trained one.
EAGER = {"min_confidence": 0.0}


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a service with random weights."""
    folder = tmp_path_factory.mktemp("service")
    checkpoint = save_tiny_checkpoint(folder / "tiny")
    with running_service(checkpoint, "memory://", 1, folder) as (url, _):
        yield url


@pytest.fixture
def open_editor() -> Iterator[Callable[..., Editor]]:
    """Opens editors, each with options of its own, and closes them."""
    editors: list[Editor] = []

    def open_one(url: str, **options: Any) -> Editor:
        editors.append(Editor(url, **options))
        return editors[-1]

    yield open_one
    for each in editors:
        each.close()


@pytest.fixture
def editor(service: str, open_editor: Callable[..., Editor]) -> Editor:
    """An editor that gets a suggestion everywhere."""
    return open_editor(service, request=EAGER)


@pytest.fixture
def proxy(service: str) -> Iterator[RecordingProxy]:
    """A proxy in front of the service that records the requests."""
    started = RecordingProxy(service)
    yield started
    started.close()


@pytest.fixture
def proxied(proxy: RecordingProxy, open_editor: Callable[..., Editor]) -> Editor:
    """An editor that asks through the recording proxy."""
    return open_editor(proxy.url, request=EAGER)


@pytest.fixture
def python_checkpoint(root: Path) -> Path:
    """The checkpoint for Python that comes with the repository."""
    return root / "checkpoints" / "python"
