"""The models that this process serves: loaded checkpoints by name, the first one the default."""

from collections.abc import Iterable
from pathlib import Path

from model.checkpoint import load
from model.errors import ModelError
from model.served import Runtime
from service.errors import StartupError, UnknownModel


class Models:
    """The runtimes by name. A runtime is named after the folder of its checkpoint."""

    def __init__(self, runtimes: Iterable[Runtime]) -> None:
        """Raises StartupError if two runtimes have the same name."""
        self._runtimes: dict[str, Runtime] = {}
        for runtime in runtimes:
            name = runtime.checkpoint.name
            if name in self._runtimes:
                raise StartupError(
                    f"two checkpoints are named {name}; requests choose a model by the name of "
                    "its folder, so give them folders of different names"
                )
            self._runtimes[name] = runtime

    @classmethod
    def load(cls, folders: Iterable[Path], backend: str | None = None) -> "Models":
        """Loads checkpoints; raises StartupError, with one line, if one cannot be served.

        All of them compute with `backend`; None chooses the fastest.
        """
        try:
            return cls([Runtime(load(folder), backend) for folder in folders])
        except ModelError as error:
            raise StartupError(str(error)) from error

    @property
    def names(self) -> tuple[str, ...]:
        """All names, the default's first."""
        return tuple(self._runtimes)

    @property
    def runtimes(self) -> tuple[Runtime, ...]:
        """All runtimes, the default first."""
        return tuple(self._runtimes.values())

    def choose(self, name: str | None) -> Runtime:
        """The runtime of that name, or the default for None; raises UnknownModel."""
        if name is None:
            return self.runtimes[0]
        if name not in self._runtimes:
            raise UnknownModel(
                f"no model of that name is loaded; loaded are: {', '.join(self.names)}", "model"
            )
        return self._runtimes[name]
