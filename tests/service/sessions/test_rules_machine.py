"""The rules of a session under any order of requests, losses and changes of the checkpoint."""

import string

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from model.adaptation import window_start
from model.text_form import START, training_form
from service.errors import Resync
from service.sessions.digests import DIGEST_BLOCK
from service.sessions.record import Record, as_stored, decode, encode
from service.sessions.rules import TextEdit, WholeText, plan
from tests.service.recurrence import (
    FINGERPRINT,
    OTHER_FINGERPRINT,
    STATE_SIZE,
    advance,
    follow,
    request,
    state_of,
)

TEXT = "".join(string.ascii_letters[i % 52] + " é\n😀"[i % 4] for i in range(4 * DIGEST_BLOCK))
# The same text with each ending of lines. Where every character ends a line, the network reads half
# of them, and each block of the chain of digests may end between the two of a pair.
TEXTS = (
    TEXT,
    TEXT.replace("\n", "\r\n"),
    "\ufeff" + TEXT.replace("\n", "\r"),
    "a" + "\r\n" * 16000,
)
SMALL_TEXTS = st.text(alphabet="ab é😀\r\n\ufeff", max_size=12)


class ModelledTypist(RuleBasedStateMachine):
    """One session under any order of requests, losses and changes of the checkpoint."""

    answered = Bundle("answered")

    def __init__(self) -> None:
        super().__init__()
        self.text = ""
        self.texts: dict[int, str] = {}
        self.record: Record | None = None
        self.fingerprint = FINGERPRINT

    @initialize(
        text=st.sampled_from(TEXTS),
        length=st.sampled_from(
            [0, 3, DIGEST_BLOCK, 2 * DIGEST_BLOCK - 1, 3 * DIGEST_BLOCK + 7, 25 * DIGEST_BLOCK]
        ),
    )
    def open_file(self, text: str, length: int) -> None:
        self._send(WholeText(text[:length]), text[:length])

    @rule(target=answered, piece=SMALL_TEXTS, as_edit=st.booleans())
    def type(self, piece: str, as_edit: bool) -> TextEdit | None:
        return self._replace(len(self.text), piece, as_edit)

    @rule(
        target=answered,
        back=st.one_of(st.integers(0, 60), st.integers(0, 3 * DIGEST_BLOCK)),
        piece=SMALL_TEXTS,
        as_edit=st.booleans(),
    )
    def go_back(self, back: int, piece: str, as_edit: bool) -> TextEdit | None:
        return self._replace(max(0, len(self.text) - back), piece, as_edit)

    @rule(
        target=answered,
        position=st.integers(0, 3 * DIGEST_BLOCK),
        text=st.sampled_from(TEXTS),
        size=st.integers(0, 1500),
    )
    def paste(self, position: int, text: str, size: int) -> TextEdit | None:
        keep = min(position, len(self.text))
        return self._replace(keep, text[7 : 7 + size], as_edit=True)

    @rule(edit=answered)
    def send_an_old_request_again(self, edit: TextEdit | None) -> None:
        if edit is None or self.record is None:
            return
        after = self._attempt(edit)
        if after is not None:
            self.record, self.text = after, self.texts[edit.version][: edit.keep] + edit.append

    @rule()
    def lose_the_session(self) -> None:
        self.record = None

    @rule()
    def load_another_checkpoint(self) -> None:
        other = {FINGERPRINT: OTHER_FINGERPRINT, OTHER_FINGERPRINT: FINGERPRINT}
        self.fingerprint = other[self.fingerprint]

    @rule()
    def go_on_in_another_worker(self) -> None:
        if self.record is not None:
            stored = as_stored(self.record)
            self.record = decode(encode(stored))
            assert self.record == stored

    @invariant()
    def everything_kept_is_that_of_the_text(self) -> None:
        record = self.record
        if record is None:
            return
        assert record.length == len(self.text)
        assert record.tail == self.text[record.tail_start :]
        assert record.begin == START.after(self.text[: record.tail_start])
        assert record.version == request(None, WholeText(self.text)).version
        self.texts[record.version] = self.text
        state, read = state_of(""), 0
        for snapshot in reversed(record.snapshots):
            form = training_form(self.text[: snapshot.position])
            state = advance(state, form[read:], record.fingerprint)
            read = len(form)
            assert snapshot.state == state
        if training_form(self.text):
            assert record.snapshots[0].position == len(self.text)

    def _replace(self, keep: int, piece: str, as_edit: bool) -> TextEdit | None:
        text = self.text[:keep] + piece
        edit = TextEdit(self.record.version if self.record else 1, keep, piece)
        if as_edit:
            after = self._attempt(edit)
            if after is not None:
                self.record, self.text = after, text
                return edit
        self._send(WholeText(text), text)
        return edit

    def _attempt(self, edit: TextEdit) -> Record | None:
        """The record after the edit, or None if it was refused; refusals name the held version."""
        held = "accepted"
        try:
            return request(self.record, edit, self.fingerprint)
        except Resync as refused:
            held = str(refused.version)
        assert held == str(self.record.version if self.record else None)
        return None

    def _send(self, change: WholeText, text: str) -> None:
        planned = plan(self.record, change, self.fingerprint, STATE_SIZE)
        form = training_form(text)
        assert planned.window == form[window_start(len(form)) :]
        assert planned.absorb == text[len(text) - len(planned.absorb) :]
        self.record = follow(planned)
        self.text = text


ModelledTypist.TestCase.settings = settings(max_examples=100, stateful_step_count=25, deadline=None)
TestTypist = ModelledTypist.TestCase
