"""schema: the fields of a request that set the decoding options of the same names."""

from dataclasses import fields
from typing import Any

from model.decoding.options import BOUNDS, Options
from service.http.schema import OPTION_FIELDS, CompleteRequest

WANTED: dict[str, Any] = {
    "max_chars": 7,
    "min_confidence": 0.5,
    "stop": ["a", "bc"],
    "suffix": ")",
    "n": 3,
    "max_lines": 2,
    "temperature": 0.5,
    "top_k": 4,
    "top_p": 0.75,
    "min_p": 0.125,
    "seed": 9,
    "trigger": "manual",
}


def test_every_option_that_a_request_has_reaches_decoding() -> None:
    assert set(WANTED) == set(OPTION_FIELDS)
    options = CompleteRequest(prefix="a", **WANTED).options
    assert options == Options(**WANTED | {"stop": ("a", "bc")})
    assert all(getattr(options, name) != getattr(Options, name) for name in WANTED)


def test_a_request_that_asks_for_nothing_has_the_defaults_of_decoding() -> None:
    assert CompleteRequest(prefix="a").options == Options()


def test_only_other_protocols_and_measurements_set_the_other_options() -> None:
    others = {each.name for each in fields(Options)} - set(OPTION_FIELDS)
    assert others == {"indent", "by_value", "top_each"}


def test_a_field_has_the_bounds_of_its_option_or_narrower_ones() -> None:
    properties = CompleteRequest.model_json_schema()["properties"]
    for name in set(OPTION_FIELDS) & set(BOUNDS):
        bounds, described = BOUNDS[name], properties[name]
        least = described["exclusiveMinimum" if bounds.above else "minimum"]
        assert least == bounds.least
        assert described.get("maximum", bounds.most) <= bounds.most
