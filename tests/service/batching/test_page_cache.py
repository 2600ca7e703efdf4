"""Pages between requests: they are bounded, have one owner each, and go with their session."""

import random

import pytest

from model.adaptation import Page, window_start
from model.checkpoint import load
from model.decoding.continuation import ChosenSteps, Continuation
from model.decoding.options import Options
from model.served import Runtime
from service.batching.batch import MOST_CHARACTERS_READ_PER_STEP, Batch
from service.batching.page_cache import PageCache
from service.expiring import ExpiringMap
from tests.service.batch import EAGER, Waiter, bits, drive, job, scheduling
from tests.tiny import save_primed_checkpoint

TEXT = "def main(ab):\n    for x in names.items():\n        print(x, 'é😀')\n" * 200


@pytest.fixture(scope="module")
def adapting(tmp_path_factory: pytest.TempPathFactory) -> Runtime:
    return Runtime(load(save_primed_checkpoint(tmp_path_factory.mktemp("checkpoints") / "primed")))


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many characters each call of `Page.follow` read."""
    read: list[int] = []
    follow = Page.follow

    def counting(page: Page, text: str) -> int:
        read.append(follow(page, text))
        return read[-1]

    monkeypatch.setattr(Page, "follow", counting)
    return read


def page_of(runtime: Runtime, text: str) -> Page:
    assert runtime.adaptation is not None
    page = runtime.adaptation.page()
    page.follow(text)
    return page


def test_a_page_belongs_to_the_caller_that_took_it(adapting: Runtime) -> None:
    page_cache, page = PageCache(2**30), page_of(adapting, "abc")
    page_cache.put("s", "model", page)
    assert page_cache.nbytes == page.nbytes
    assert page_cache.take("s", "other model") is page_cache.take("other", "model") is None
    assert page_cache.take("s", "model") is page
    assert page_cache.take("s", "model") is None
    assert page_cache.nbytes == 0


def test_the_least_recent_pages_are_dropped_if_all_take_too_much_memory(adapting: Runtime) -> None:
    each = page_of(adapting, "abc").nbytes
    page_cache = PageCache(3 * each)
    for name in ("a", "b", "c"):
        page_cache.put(name, "model", page_of(adapting, "abc"))
    page_cache.put("a", "model", page_of(adapting, "abd"))
    page_cache.put("d", "model", page_of(adapting, "abc"))
    assert page_cache.nbytes == 3 * each
    assert [n for n in "abcd" if page_cache.take(n, "model")] == ["a", "c", "d"]


def test_a_page_of_the_longest_window_takes_a_quarter_of_a_megabyte_at_most(
    adapting: Runtime,
) -> None:
    longest = max(n - window_start(n) for n in range(9_000, 20_000))
    assert page_of(adapting, "😀" * longest).nbytes <= 2**18


def test_nothing_is_left_of_pages_that_are_forgotten_or_have_expired(
    adapting: Runtime,
) -> None:
    now = 0.0
    page_cache = PageCache(2**30, 10, lambda: now)
    page_cache.put("a", "model", page_of(adapting, "a"))
    page_cache.put("a", "other", page_of(adapting, "a"))
    now = 5.0
    page_cache.put("b", "model", page_of(adapting, "b"))
    page_cache.forget("a")
    assert page_cache.take("a", "model") is page_cache.take("a", "other") is None
    now = 14.9
    page_cache.expire()
    assert page_cache.nbytes > 0
    now = 15.0
    page_cache.expire()
    assert page_cache.nbytes == 0


def test_a_request_reads_only_what_is_new_on_its_sessions_page(
    adapting: Runtime, read: list[int]
) -> None:
    batch = Batch(adapting, 4, ExpiringMap(8), PageCache(2**30))
    for length in (1000, 1001, 990, 991):
        waiter = Waiter(batch, job(adapting, TEXT[:length]))
        drive(batch)
        fresh = Batch(adapting, 1, ExpiringMap(0), PageCache(0))
        alone = Waiter(fresh, job(adapting, TEXT[:length]))
        before = len(read)
        drive(fresh)
        del read[before:]
        assert bits(waiter.result) == bits(alone.result)
    assert sum(read) == 1000 + 1 + 0 + 1


def test_a_page_is_read_a_part_at_a_time_so_that_others_go_on(
    adapting: Runtime, read: list[int]
) -> None:
    batch = Batch(adapting, 4, ExpiringMap(8), PageCache(2**30))
    text = TEXT.replace("😀", "")
    # The window of the second text begins at another position.
    for length in (10_239, 10_240):
        Waiter(batch, job(adapting, text[:length]))
        while batch.busy:
            read.clear()
            batch.advance()
            assert sum(read) <= MOST_CHARACTERS_READ_PER_STEP


def test_completions_of_one_text_and_racing_requests_do_not_disturb_each_other(
    adapting: Runtime,
) -> None:
    drawn = random.Random(3)
    options = [EAGER, Options(n=3), Options(n=2, temperature=1.0, seed=5)]
    batch = Batch(adapting, 16, ExpiringMap(8), PageCache(2**30))
    asked = [
        job(adapting, TEXT[: drawn.choice([40, 60, 60, 60, 700])], options=drawn.choice(options))
        for _ in range(60)
    ]
    waiters = []
    for work in asked:
        waiters.append(Waiter(batch, work))
        if drawn.random() < 0.2:
            gone = Waiter(batch, job(adapting, TEXT[: drawn.randint(0, 700)]))
            batch.advance()
            gone.request.abandoned = True
        for _ in range(drawn.choice([0, 0, 1, 5, 40])):
            batch.advance()
    drive(batch)
    for work, waiter in zip(asked, waiters, strict=True):
        fresh = Batch(adapting, 1, ExpiringMap(0), PageCache(0))
        alone = Waiter(fresh, work)
        drive(fresh)
        assert bits(waiter.result) == bits(alone.result)
    assert batch.taken == 0


@pytest.mark.parametrize("abandoned", [False, True])
def test_nothing_is_kept_of_a_session_that_is_deleted_while_it_computes(
    adapting: Runtime, abandoned: bool
) -> None:
    continuations: ExpiringMap[str, Continuation[ChosenSteps]] = ExpiringMap(8)
    page_cache = PageCache(2**30)
    batch = Batch(adapting, 4, continuations, page_cache)
    waiter = Waiter(batch, job(adapting, TEXT[:500]))
    batch.advance()
    batch.forget("s")
    waiter.request.abandoned = abandoned
    drive(batch)
    assert page_cache.nbytes == 0
    assert continuations.get("s") is None


async def test_forgetting_a_session_leaves_nothing_of_its_page(adapting: Runtime) -> None:
    async with scheduling(adapting, kept_page_bytes=2**30) as scheduler:
        await scheduler.compute(job(adapting, TEXT[:500]))
        assert scheduler._page_cache.nbytes > 0
        await scheduler.forget("s")
        assert scheduler._page_cache.nbytes == 0
