"""The plan of one load test: how many typists type, for how long, in which steps."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

STEPS = 4


class LoadPlan(BaseModel):
    """Typists join in steps of equal length; in the last step all of them type."""

    model_config = ConfigDict(frozen=True)

    typists: int = Field(ge=1)
    seconds: float = Field(gt=0)
    keys_per_second: float = Field(1.6, gt=0)
    seed: int = 0
    text: Path | None = None

    @property
    def steps(self) -> tuple[int, ...]:
        """How many typists each step has, ascending."""
        return tuple(sorted({max(1, self.typists * i // STEPS) for i in range(1, STEPS + 1)}))

    @property
    def step_seconds(self) -> float:
        """How many seconds a step lasts."""
        return self.seconds / len(self.steps)

    def step_at(self, second: float) -> int | None:
        """The index of the step that runs then, or None when all are over."""
        index = int(second / self.step_seconds)
        return index if index < len(self.steps) else None
