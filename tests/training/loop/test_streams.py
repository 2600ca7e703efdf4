import numpy as np
import torch

from training.loop.streams import IGNORED, EncodedDocuments, StreamLayout, windows

START = 99


def read_all(
    documents: list[list[int]], streams: int, window: int, restart: int, seed: int
) -> tuple[torch.Tensor, torch.Tensor, int]:
    batches = list(
        windows(
            EncodedDocuments([np.array(d, np.int32) for d in documents]),
            StreamLayout(START, streams, window, restart),
            np.random.default_rng(seed),
        )
    )
    ids = torch.cat([b.ids for b in batches])
    targets = torch.cat([b.targets for b in batches])
    return ids, targets, sum(b.characters for b in batches)


def test_each_stream_predicts_the_id_that_it_reads_next() -> None:
    document = list(range(50))
    ids, targets, _ = read_all([document], streams=2, window=7, restart=10**9, seed=0)
    assert ids[0, 0] == START
    for column in range(2):
        following = ids[1:, column]
        assert torch.equal(targets[:-1, column], following)


def test_no_document_is_predicted_from_the_one_before() -> None:
    documents = [[1] * 30, [2] * 30, [3] * 30]
    ids, targets, _ = read_all(documents, streams=1, window=8, restart=10**9, seed=1)
    assert (ids == START).sum() == 3
    for position in range(len(ids) - 1):
        if ids[position + 1] == START:
            assert targets[position] == IGNORED
        if ids[position] != START and targets[position] != IGNORED:
            assert ids[position] == targets[position]


def test_texts_are_cut_at_new_places_each_epoch() -> None:
    document = list(range(90)) * 50
    first, _, _ = read_all([document], streams=1, window=64, restart=100, seed=1)
    second, _, _ = read_all([document], streams=1, window=64, restart=100, seed=2)
    cuts = [set(torch.nonzero(ids[:, 0] == START).flatten().tolist()) for ids in (first, second)]
    assert 20 < len(cuts[0]) < 90
    assert cuts[0] != cuts[1]


def test_texts_are_cut_where_lines_begin() -> None:
    document = np.array(([1] * 9 + [7]) * 400 + [1] * 50, np.int32)
    layout = StreamLayout(START, 1, 64, 40, line_end=7)
    batches = windows(EncodedDocuments([document]), layout, np.random.default_rng(0))
    ids = torch.cat([b.ids for b in batches])[:, 0].tolist()
    begins = [place for place, index in enumerate(ids) if index == START]
    assert len(begins) > 40
    assert {ids[place - 1] for place in begins[1:]} == {7}
    assert [index for index in ids if index != START] == document[: len(ids) - len(begins)].tolist()


def test_every_character_is_counted_once() -> None:
    _, targets, characters = read_all([[1] * 40, [2] * 41], 2, 10, 10**9, seed=0)
    assert characters == (targets != IGNORED).sum()


def test_late_documents_are_read_in_the_second_half() -> None:
    documents = EncodedDocuments([np.full(100, i, np.int32) for i in range(60)], np.arange(60) < 10)
    layout = StreamLayout(START, 4, 32, 10)
    batches = list(windows(documents, layout, np.random.default_rng(0)))
    ids = torch.cat([b.ids for b in batches])
    assert set(ids.unique().tolist()) == {*range(60), START}
    first, last = ids[: int(len(ids) * 0.35)], ids[int(len(ids) * 0.95) :]
    # A stream's ends move a little when they are cut to one length.
    assert (first < 10).float().mean() < 0.02
    assert (last < 10).float().mean() < 0.02


def test_what_is_late_is_read_where_it_is_asked_for() -> None:
    documents = EncodedDocuments([np.full(100, i, np.int32) for i in range(60)], np.arange(60) < 10)
    layout = StreamLayout(START, 4, 32, 10, late_shares=(0.1, 0.3))
    batches = list(windows(documents, layout, np.random.default_rng(0)))
    ids = torch.cat([b.ids for b in batches])
    begin, end = int(len(ids) * 0.05), int(len(ids) * 0.4)
    assert (ids[:begin] < 10).float().mean() < 0.02
    assert (ids[begin:end] < 10).float().mean() > 0.35
    assert (ids[end:] < 10).float().mean() < 0.02
