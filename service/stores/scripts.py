"""The scripts that run inside Redis, each on one key, and the pipelines that call them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from redis.asyncio import Redis, RedisCluster
from redis.exceptions import NoScriptError


@dataclass(frozen=True)
class Script:
    """A script's text, and the SHA-1 digest by which Redis finds it."""

    text: str
    sha: str


@dataclass(frozen=True)
class Call:
    """One call of a script: its key and arguments."""

    key: str
    arguments: tuple[bytes | int, ...]


def _load(name: str) -> Script:
    text = (files("service.stores") / f"{name}.lua").read_text("utf-8")
    return Script(text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())


COMPARE_AND_SET = _load("compare_and_set")
READ_UNLESS_KNOWN = _load("read_unless_known")


async def unlink(client: RedisCluster, key: str) -> list[Any]:
    """Deletes one key and returns a list of one reply or exception.

    It uses a pipeline of one command, because after a failed command outside a pipeline redis-py
    connects to all nodes again.
    """
    async with client.pipeline(transaction=False) as pipeline:
        pipeline.execute_command("UNLINK", key)
        return await pipeline.execute(raise_on_error=False)


async def run(client: Redis | RedisCluster, script: Script, calls: Sequence[Call]) -> list[Any]:
    """Each call's reply or exception. All calls go in one pipeline.

    If Redis has lost the script, the failed calls go in a second pipeline, which sends its text. In
    a cluster, the keys of all calls must belong to one node.
    """
    replies = await _pipeline(client, "EVALSHA", script.sha, calls)
    unknown = [i for i, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
    if unknown:
        again = await _pipeline(client, "EVAL", script.text, [calls[i] for i in unknown])
        for i, reply in zip(unknown, again, strict=True):
            replies[i] = reply
    return replies


async def _pipeline(
    client: Redis | RedisCluster, command: str, script: str, calls: Sequence[Call]
) -> list[Any]:
    async with client.pipeline(transaction=False) as pipeline:
        for call in calls:
            pipeline.execute_command(command, script, 1, call.key, *call.arguments)
        return await pipeline.execute(raise_on_error=False)
