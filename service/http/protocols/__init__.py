"""The protocols of others as thin adapters over the same core, one module each."""

# What a completion in another protocol may be refused with.
COMPLETION_ERRORS = (
    "invalid_json",
    "unknown_model",
    "too_large",
    "unsupported_media_type",
    "invalid_request",
    "not_supported",
    "overloaded",
)
