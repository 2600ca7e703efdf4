"""Adaptation in the service: answers depend on the text only, and not on what a worker keeps."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model.checkpoint import load
from model.served import Runtime
from tests.service.running import EAGER, Service, comparable, reference, running
from tests.tiny import save_primed_checkpoint

LINES = "def main(ab):\n    for x in names.items():\n        print(x, 'é😀')\nclass C(B):\n"
# The text is longer than any window, so that windows lose its beginning. No part of it repeats at
# the distance of a window.
TEXT = "".join(f"{LINES}    self.a{i} = main(b{i * 7 % 31})\n" for i in range(140))
EDGES = st.builds(
    lambda block, away: max(0, min(len(TEXT), 2048 * block + away)),
    st.integers(0, len(TEXT) // 2048),
    st.integers(-3, 3),
)


@dataclass(frozen=True)
class Change:
    """A change: the first `keep` characters stay, then `append` follows.

    If `keep` is 0 or less, -`keep` characters are removed at the end.
    """

    keep: int
    append: str
    as_edit: bool
    options: tuple[tuple[str, Any], ...]
    top: int


CHANGES = st.builds(
    Change,
    keep=st.one_of(st.integers(-5, 0), st.integers(-200, 0), EDGES),
    append=st.one_of(
        st.text("ab(.\n é😀", max_size=3),
        st.integers(0, len(TEXT)).map(lambda at: TEXT[at : at + 40]),
        st.tuples(EDGES, st.integers(0, 4200)).map(lambda at: TEXT[at[0] : at[0] + at[1]]),
    ),
    as_edit=st.booleans(),
    options=st.sampled_from(
        [
            (),
            (("min_confidence", 0.3),),
            (("n", 3),),
            (("n", 2), ("temperature", 0.8), ("seed", 7)),
            (("suffix", "):\n"),),
            (("suffix", "\n" + TEXT[4000:5000]),),
            (("suffix", "):\n" + TEXT[6000:9000]), ("n", 3)),
            (("suffix", "\n" + TEXT[4000:5000]), ("temperature", 0.5)),
            (("max_lines", 3), ("max_chars", 40)),
            (("trigger", "manual"),),
        ]
    ),
    top=st.sampled_from([0, 3]),
)


@pytest.fixture(scope="module")
def adapting(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_primed_checkpoint(tmp_path_factory.mktemp("checkpoints") / "primed")


@dataclass
class Served:
    """A service in this process, whose event loop runs only during a request."""

    service: Service
    runtime: Runtime
    loop: asyncio.AbstractEventLoop
    sessions: "count[int]" = field(default_factory=count)

    def ask(self, **body: Any) -> dict[str, Any]:
        return self.loop.run_until_complete(self.service.complete(**body))

    def try_edit(self, **body: Any) -> dict[str, Any] | None:
        """The answer to an edit, or None if the service asks for the whole text."""
        asked = self.service.http.post("/complete", json=EAGER | body)
        response = self.loop.run_until_complete(asked)
        assert response.status_code in (200, 409), response.text
        answer: dict[str, Any] = response.json()
        return answer if response.status_code == 200 else None


@pytest.fixture(scope="module")
def served(adapting: Path) -> Iterator[Served]:
    loop = asyncio.new_event_loop()
    started = running(checkpoint=(adapting,))
    service = loop.run_until_complete(started.__aenter__())
    yield Served(service, Runtime(load(adapting)), loop)
    loop.run_until_complete(started.__aexit__(None, None, None))
    loop.close()


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(begin=st.one_of(EDGES, st.integers(0, 300)), changes=st.lists(CHANGES, max_size=6))
def test_every_answer_is_that_of_a_fresh_computation(
    served: Served, begin: int, changes: list[Change]
) -> None:
    session = f"s{next(served.sessions)}"
    text = TEXT[:begin]
    version = served.ask(session=session, prefix=text)["version"]
    for change in changes:
        keep = change.keep if change.keep > 0 else len(text) + change.keep
        keep = max(0, min(len(text), keep))
        text = text[:keep] + change.append
        asked = dict(change.options) | {"session": session, "top": change.top}
        answer = None
        if change.as_edit:
            edit = {"version": version, "keep": keep, "append": change.append}
            answer = served.try_edit(**asked, edit=edit)
        answer = answer or served.ask(**asked, prefix=text)
        expected = reference(served.runtime, text, change.top, **dict(change.options))
        assert comparable(answer) == expected
        version = answer["version"]


def test_without_adaptation_the_answers_would_differ(served: Served) -> None:
    plain = Runtime(served.runtime.checkpoint, adapt=False)
    others = sum(
        comparable(served.ask(prefix=TEXT[:length], top=3)) != reference(plain, TEXT[:length], 3)
        for length in range(200, 220)
    )
    assert others > 10


def test_answers_are_also_adapted_to_the_lines_after_the_cursor(served: Served) -> None:
    def answers(behind: str) -> list[dict[str, Any]]:
        return [
            comparable(served.ask(prefix=TEXT[:length], suffix=f"\n{behind}", top=3))
            for length in range(200, 220)
        ]

    assert answers(TEXT[300:600]) != answers("")


def test_typing_what_was_suggested_reuses_its_steps(served: Served) -> None:
    text, reused = TEXT[:300], 0
    for _ in range(20):
        answer = served.ask(session="typed", prefix=text)
        reused += answer["usage"]["steps_reused"]
        text += answer["completion"][:1] or "a"
    assert reused > 10


async def test_where_nothing_is_compiled_the_answers_are_the_same(adapting: Path) -> None:
    compiled = Runtime(load(adapting))
    async with running(checkpoint=(adapting,), backend="numpy") as service:
        text = TEXT[:120]
        for key in "    pri\b\b\bself.\n\n":
            text = text[:-1] if key == "\b" else text + key
            answer = await service.complete(session="plain", prefix=text, top=3, n=2)
            assert comparable(answer) == reference(compiled, text, 3, n=2)


async def test_the_models_say_whether_they_adapt(adapting: Path, checkpoint: Path) -> None:
    async with running(checkpoint=(adapting, checkpoint)) as service:
        listed = (await service.http.get("/models")).json()["models"]
    assert [model["adapts"] for model in listed] == [True, False]
