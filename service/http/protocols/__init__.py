"""Other protocols as thin adapters over the same core."""

# The codes with which a completion request in another protocol may be refused.
COMPLETION_ERRORS = (
    "invalid_json",
    "unknown_model",
    "too_large",
    "unsupported_media_type",
    "invalid_request",
    "not_supported",
    "overloaded",
)
