"""The runtime of a checkpoint: quantized once for one backend, it makes pools of states."""

from model.adaptation import Adaptation, is_primed
from model.calibration import Calibration
from model.checkpoint import Checkpoint
from model.runtime import Pool, backends
from model.runtime.quantized import quantize_network
from model.vocabulary import Vocabulary


class Runtime:
    """A checkpoint as it is served: its quantized network, its calibration, its adaptation."""

    def __init__(
        self, checkpoint: Checkpoint, backend: str | None = None, adapt: bool | None = None
    ) -> None:
        """`backend` is one of backends.NAMES, or None for the fastest one that runs here.

        With `adapt` the runtime has an `adaptation` to the text at hand; None means that it has one
        if the checkpoint is primed for it. Raises BackendError for a backend that does not run
        here. Raises ModelError for weights that cannot be quantized, and where the parameters of
        adaptation are damaged, or are missing although `adapt` is true.
        """
        self.checkpoint = checkpoint
        self.calibration = Calibration.of(checkpoint.weights)
        self.network = quantize_network(checkpoint)
        self.backend = backends.choose(backend)
        self._make_pool = backends.pools(self.backend, self.network)
        self.adaptation: Adaptation | None = None
        if is_primed(checkpoint) if adapt is None else adapt:
            self.adaptation = Adaptation(checkpoint, self.backend)

    @property
    def vocabulary(self) -> Vocabulary:
        return self.checkpoint.vocabulary

    @property
    def fingerprint(self) -> str:
        return self.checkpoint.fingerprint

    @property
    def state_size(self) -> int:
        """The bytes of one state."""
        return self.network.state_size

    def pool(self, capacity: int) -> Pool:
        """A pool of states with room for `capacity` of them."""
        return self._make_pool(capacity)
