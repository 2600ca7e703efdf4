"""The locust scenario: each user is a typist with its own session."""

import time
import uuid
from argparse import ArgumentParser
from pathlib import Path
from random import Random
from typing import Any

import gevent
from gevent.pool import Group
from locust import FastHttpUser, LoadTestShape, events, task
from locust.env import Environment

from loadtest.plan import LoadPlan
from loadtest.recording import Outcome, Recorder, Sample
from loadtest.texts import choose_passage, load_texts
from loadtest.typist import Request, Typist


class Shared:
    """The data that all users of the process share."""

    def __init__(self, plan: LoadPlan) -> None:
        self.plan = plan
        self.texts = load_texts(plan.text)
        self.random = Random(plan.seed)
        self.recorder = Recorder()
        self.begin = time.perf_counter()

    @property
    def now(self) -> float:
        """Seconds since the test began."""
        return time.perf_counter() - self.begin


def _add_options(parser: ArgumentParser) -> None:
    parser.add_argument("--plan", type=Path, required=True, help="a LoadPlan, as a file of JSON")
    parser.add_argument(
        "--recording", type=Path, required=True, help="where to write what was seen"
    )


def _share_plan(environment: Environment, **_: Any) -> None:
    assert environment.parsed_options is not None
    plan = LoadPlan.model_validate_json(environment.parsed_options.plan.read_text(encoding="utf-8"))
    TypingUser.shared = Shared(plan)


def _write_recording(environment: Environment, **_: Any) -> None:
    assert environment.parsed_options is not None
    TypingUser.shared.recorder.write(environment.parsed_options.recording)


events.init_command_line_parser.add_listener(_add_options)
events.init.add_listener(_share_plan)
events.quitting.add_listener(_write_recording)


class Steps(LoadTestShape):
    """The steps of the plan: a quarter of the typists, a half, three quarters, then all."""

    def tick(self) -> tuple[int, float] | None:
        """How many users there should be, and how many may start per second; None at the end."""
        plan = TypingUser.shared.plan
        step = plan.step_at(TypingUser.shared.now)
        if step is None:
            return None
        return plan.steps[step], max(5.0, plan.typists / 10)


class TypingUser(FastHttpUser):
    """Presses keys at random times, whether or not the answer to the last one has come."""

    shared: Shared
    _typist: Typist
    _next_key: float

    def on_start(self) -> None:
        """Opens a text and waits for the answer, as a person looks at a text before typing."""
        self._asking = Group()
        self._open()

    def on_stop(self) -> None:
        """Waits for the last answers."""
        self._asking.join(timeout=2)
        self._close()

    @task
    def press_key(self) -> None:
        """Waits until the next key is due, presses it and asks for a suggestion."""
        rate = self.shared.plan.keys_per_second
        self._next_key = max(self._next_key + self.shared.random.expovariate(rate), self.shared.now)
        gevent.sleep(self._next_key - self.shared.now)
        self.shared.recorder.add_key(self._typist.press().characters)
        if self._typist.finished:
            self._asking.join(timeout=2)
            self._close()
            self._open()
        else:
            self._asking.spawn(self._ask, self._typist)

    def _open(self) -> None:
        passage = choose_passage(self.shared.texts, self.shared.random)
        self._typist = Typist(f"loadtest-{uuid.uuid4().hex}", passage)
        self._ask(self._typist)
        self._next_key = self.shared.now

    def _close(self) -> None:
        self.client.delete(f"/sessions/{self._typist.session}", name="DELETE /sessions/{id}")

    def _ask(self, typist: Typist) -> None:
        request = typist.request()
        if self._send(typist, request) == "resync" and typist.is_newest(request):
            typist.forget_held()
            self._send(typist, typist.request())

    def _send(self, typist: Typist, request: Request) -> Outcome:
        begin = time.perf_counter()
        with self.client.post(
            "/complete",
            json=request.body,
            name=f"POST /complete ({request.kind})",
            catch_response=True,
        ) as response:
            took = 1000 * (time.perf_counter() - begin)
            body: dict[str, Any] = response.json() if response.text else {}
            code = body.get("error", {}).get("code", "no answer")
            outcome: Outcome = "error"
            error = None
            if response.status_code == 200:
                outcome = "answered"
                typist.take_answer(request, body)
            elif code in ("superseded", "resync"):
                outcome = code
                response.success()
            else:
                error = f"{response.status_code} {code}"
                response.failure(error)
        sample = Sample(
            at=self.shared.now, milliseconds=took, opening=request.kind == "open", outcome=outcome
        )
        self.shared.recorder.add_request(sample, error)
        return outcome
