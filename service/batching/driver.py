"""Runs the drive for the event loop: jobs go to its thread, and their results come back by a pipe.

The drive's thread never waits for the interpreter, so nothing is handed between Python threads.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Sequence

from model.adaptation import Page, page_text
from model.decoding.continuation import MOST_KEPT_STEPS, Continuation
from model.decoding.options import CHARACTERS_BEFORE
from model.driving.drive import Drive, drives
from model.driving.driven import DrivenDecoding, is_driven
from model.driving.job import NOTHING_KEPT, DriveJob, KeptSteps
from model.errors import TextError
from model.served import Runtime
from service.batching.page_cache import PageCache
from service.batching.sequence import Computed, Job
from service.errors import Overloaded, computation_failed
from service.expiring import ExpiringMap

log = logging.getLogger(__name__)


class DrivenJob:
    """A job with its decoding, and the future that its caller awaits."""

    def __init__(
        self,
        job: Job,
        decoding: DrivenDecoding,
        page: Page | None,
        future: asyncio.Future[Computed],
    ) -> None:
        self.job = job
        self.decoding = decoding
        self.page = page
        self.future = future
        # The session was deleted, so nothing of it may be kept.
        self.forgotten = False
        self._chars_given = 0

    def tell(self) -> None:
        """Tells the listener which further characters have become certain."""
        if self.job.on_chars is None:
            return
        candidate = self.decoding.candidate
        certain = candidate.chars[: candidate.certain]
        if len(certain) > self._chars_given:
            self.job.on_chars(tuple(certain[self._chars_given :]))
            self._chars_given = len(certain)

    @property
    def late(self) -> bool:
        """Whether its time is up, and its suggestion has a line end at which it may end."""
        seconds, decoding = self.job.predict_seconds, self.decoding
        if seconds is None or "\n" not in decoding.candidate.text:
            return False
        return time.monotonic() - decoding.first_choice >= seconds

    def result(self) -> Computed:
        """The result, once decoding has ended."""
        decoding = self.decoding
        return Computed(
            states=tuple(decoding.states),
            completion=decoding.candidate.completion(),
            alternatives=(),
            next=None,
            steps_computed=decoding.steps_computed,
            steps_reused=decoding.steps_reused,
            steps_predicted=decoding.steps_predicted,
            seconds_absorbing=decoding.first_choice - decoding.joined,
            seconds_predicting=decoding.ended - decoding.first_choice,
        )


class Driver:
    """Computes the jobs that are driven, for the runtimes that run in C. For one event loop.

    A job's page and what was kept of its session belong to the job until it is collected.
    """

    def __init__(
        self,
        runtimes: Sequence[Runtime],
        batch_limit: int,
        kept_sessions: int,
        kept_seconds: float,
        page_cache: PageCache,
    ) -> None:
        self._drive = Drive([runtime for runtime in runtimes if drives(runtime)], batch_limit)
        self._continuations = ExpiringMap[str, Continuation[KeptSteps]](kept_sessions, kept_seconds)
        self._page_cache = page_cache
        self._running: dict[DriveJob, DrivenJob] = {}
        self._unsent: list[DriveJob] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._drive.run, name="drive", daemon=True)

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    @property
    def taken(self) -> int:
        """How many jobs are with the drive."""
        return len(self._running)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    async def stop(self) -> None:
        """Ends the thread after its current step; requests that are not done are refused."""
        self._drive.stop()
        await asyncio.to_thread(self._thread.join)
        if self._loop is not None:
            self._loop.remove_reader(self._drive.done_fd)
        self._drive.close()
        for running in self._running.values():
            if not running.future.done():
                running.future.set_exception(Overloaded("the service is stopping; try again"))
        self._running.clear()
        self._unsent.clear()

    def drives(self, job: Job) -> bool:
        """Whether the drive computes such a job."""
        return not job.top and is_driven(job.options) and job.runtime in self._drive.lanes

    async def compute(self, job: Job) -> Computed:
        """The job's result. If the caller is cancelled, the computation stops at the next step.

        Raises TextError for a character that the model cannot spell, and ComputationFailed.
        """
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
            loop.add_reader(self._drive.done_fd, self._collect)
        try:
            running = self._begun(job, loop.create_future())
        except TextError:
            raise
        except Exception as error:
            raise computation_failed(log, error) from None
        self._submit(running)
        try:
            return await running.future
        finally:
            if running.decoding.job is not None:
                running.decoding.job.abandon()

    def forget(self, session: str) -> None:
        """Drops what is kept of a session; jobs of it that still run will keep nothing."""
        self._continuations.pop(session)
        for running in self._running.values():
            if running.job.session == session:
                running.forgotten = True

    def expire(self) -> None:
        """Drops the continuations that have expired."""
        self._continuations.expire()

    def _begun(self, job: Job, future: asyncio.Future[Computed]) -> DrivenJob:
        fingerprint, adaptation = job.runtime.fingerprint, job.runtime.adaptation
        page = None
        if adaptation is not None:
            page = self._page_cache.take(job.session, fingerprint) or adaptation.page()
        kept = self._continuations.get(job.session)
        decoding = DrivenDecoding(
            self._drive.lanes[job.runtime],
            job.options,
            job.pieces,
            start=job.start,
            before=job.window[-CHARACTERS_BEFORE:],
            page=page,
            page_text=page_text(job.window, job.length, job.options.suffix),
            replay=(kept and kept.after(fingerprint, job.origin)) or NOTHING_KEPT,
            kept_steps=MOST_KEPT_STEPS,
        )
        return DrivenJob(job, decoding, page, future)

    def _submit(self, running: DrivenJob) -> None:
        """Hands over the job with all others of this tick: to wake the thread is a system call."""
        job = running.decoding.job
        assert job is not None
        self._running[job] = running
        if not self._unsent:
            asyncio.get_running_loop().call_soon(self._send)
        self._unsent.append(job)

    def _send(self) -> None:
        jobs, self._unsent = self._unsent, []
        if jobs:
            self._drive.submit(*jobs)

    def _collect(self) -> None:
        for job in self._drive.collect():
            running = self._running.pop(job)
            try:
                self._take(running)
            except Exception as error:
                failed = computation_failed(log, error)
                if not running.future.done():
                    running.future.set_exception(failed)

    def _take(self, running: DrivenJob) -> None:
        running.decoding.take()
        if running.late:
            running.decoding.end()
        if running.future.done():
            # Nobody waits for it any more.
            self._put_back(running)
            return
        running.tell()
        if running.decoding.job is not None:
            self._submit(running)
            return
        job = running.job
        if not running.forgotten:
            kept = Continuation(job.runtime.fingerprint, job.end, running.decoding.kept)
            self._continuations.put(job.session, kept)
        self._put_back(running)
        running.future.set_result(running.result())

    def _put_back(self, running: DrivenJob) -> None:
        # A page that was not read to its end holds another text than it says.
        if running.page is not None and running.decoding.page_read and not running.forgotten:
            job = running.job
            self._page_cache.put(job.session, job.runtime.fingerprint, running.page)
