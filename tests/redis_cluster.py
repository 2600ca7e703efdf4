"""A real Redis Cluster of a test's own: three primaries and a replica of each."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

from tests.redis_server import RedisServer, free_ports

PRIMARIES = 3
SLOTS = 16_384
SECONDS_TO_FORM = 60


class Cluster:
    """Six servers on free ports; a replica takes the place of its primary when that is away."""

    def __init__(self, folder: Path, seconds_to_fail_over: int = 1) -> None:
        ports = free_ports(4 * PRIMARIES)
        self._buses = ports[: 2 * PRIMARIES]
        self.servers = []
        for number, (bus, port) in enumerate(zip(self._buses, ports[::-1], strict=False)):
            own = folder / f"node-{number}"
            own.mkdir()
            self.servers.append(
                RedisServer(
                    own,
                    *("--cluster-enabled", "yes", "--cluster-port", str(bus)),
                    *("--cluster-node-timeout", str(1000 * seconds_to_fail_over)),
                    *("--cluster-require-full-coverage", "no"),
                    *("--repl-diskless-sync-delay", "0"),
                    port=port,
                )
            )

    @property
    def url(self) -> str:
        """The address as `--store` takes it: that of the last replica."""
        return f"redis+cluster://127.0.0.1:{self.servers[-1].port}"

    def start(self) -> None:
        """Starts all, and returns once they are a cluster that serves every key."""
        for server in self.servers:
            server.start()
        clients = [redis.Redis(port=server.port) for server in self.servers]
        for number, client in enumerate(clients):
            client.execute_command("CLUSTER SET-CONFIG-EPOCH", number + 1)
            if number < PRIMARIES:
                begin, end = (SLOTS * (number + i) // PRIMARIES for i in (0, 1))
                client.execute_command("CLUSTER ADDSLOTSRANGE", begin, end - 1)
            if number:
                first = self.servers[0].port
                client.execute_command("CLUSTER MEET", "127.0.0.1", first, self._buses[0])
        _until(lambda: all(self._known(client) == len(clients) for client in clients))
        for primary, replica in zip(clients, clients[PRIMARIES:], strict=False):
            replica.execute_command("CLUSTER REPLICATE", primary.execute_command("CLUSTER MYID"))
        _until(lambda: all(_info(client)["cluster_state"] == "ok" for client in clients))
        _until(lambda: all(_online(primary) for primary in clients[:PRIMARIES]))
        for client in clients:
            client.close()

    def stop(self) -> None:
        """Kills all."""
        for server in self.servers:
            server.stop()

    def flush(self) -> None:
        """Empties every primary; returns once the replicas are empty too."""
        for server in self.servers:
            with redis.Redis(port=server.port) as client:
                if client.role()[0] == b"master":
                    client.flushall()
                    client.wait(1, 1000)

    def flush_scripts(self) -> None:
        """Lets every node forget its scripts."""
        for server in self.servers:
            with redis.Redis(port=server.port) as client:
                client.script_flush()

    def _known(self, client: redis.Redis) -> int:
        return int(_info(client)["cluster_known_nodes"])


@contextmanager
def running_cluster(folder: Path, seconds_to_fail_over: int = 1) -> Iterator[Cluster]:
    """A cluster that serves every key; it is stopped in the end, even where it did not start."""
    cluster = Cluster(folder, seconds_to_fail_over)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


def _info(client: redis.Redis) -> dict[str, str]:
    said = client.execute_command("CLUSTER INFO")
    if isinstance(said, dict):
        return said
    lines = said.decode().split()
    return dict(line.split(":", 1) for line in lines if ":" in line)


def _online(primary: redis.Redis) -> bool:
    replica: dict[str, str] = primary.info("replication").get("slave0", {})
    return replica.get("state") == "online"


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS_TO_FORM
    pause = threading.Event()
    while not holds():
        if time.monotonic() > deadline:
            raise RuntimeError("the servers never became a cluster")
        pause.wait(0.02)
