"""Fields of other protocols that this service does not implement: only neutral values are taken."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from annotated_types import GroupedMetadata
from pydantic import PlainValidator
from pydantic.json_schema import WithJsonSchema
from pydantic_core import PydanticCustomError


# Compared by identity: in Python 0 equals False, and `typing` would take one field's type for the
# other's.
@dataclass(frozen=True, eq=False)
class Neutral(GroupedMetadata):
    """Marks a field that may only have one of these values. JSON's true and 1 are different."""

    values: tuple[Any, ...]

    def __iter__(self) -> Iterator[object]:
        yield PlainValidator(self._check)
        yield WithJsonSchema({"enum": list(self.values)})

    def _check(self, value: Any) -> Any:
        for each in self.values:
            if value == each and isinstance(value, bool) == isinstance(each, bool):
                return value
        raise PydanticCustomError("neutral", "this does not exist here; leave it out")
