"""A substitute for the network, cheap enough to recompute in every step of a test."""

from hashlib import blake2b

from service.sessions.record import Record
from service.sessions.rules import Change, Plan, plan, settle

STATE_SIZE = 2560
FINGERPRINT = "0a" * 16
OTHER_FINGERPRINT = "0b" * 16


def advance(state: bytes, text: str, fingerprint: str = FINGERPRINT) -> bytes:
    """The state after `text`, computed character by character, as a network does it."""
    for character in text:
        said = state[:64] + character.encode() + fingerprint.encode()
        state = blake2b(said, digest_size=64).digest().ljust(STATE_SIZE, b"\0")
    return state


def state_of(text: str, fingerprint: str = FINGERPRINT) -> bytes:
    return advance(bytes(STATE_SIZE), text, fingerprint)


def follow(planned: Plan) -> Record:
    """The record after the plan: computes the states that the plan asks for, and settles."""
    state = planned.start.state if planned.start else bytes(STATE_SIZE)
    states = []
    for piece in planned.pieces:
        state = advance(state, piece, planned.fingerprint)
        states.append(state)
    return settle(planned, states)


def request(record: Record | None, change: Change, fingerprint: str = FINGERPRINT) -> Record:
    """The record after one request."""
    return follow(plan(record, change, fingerprint, STATE_SIZE))
