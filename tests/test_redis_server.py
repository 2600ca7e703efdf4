"""The Redis fixtures: tests that rest on them can trust them."""

import pytest
import redis

from tests.redis_server import RedisServer


def test_a_redis_for_a_test_holds_nothing(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0


def test_a_stopped_redis_refuses_and_a_started_one_answers_at_the_same_address(
    own_redis: RedisServer,
) -> None:
    own_redis.stop()
    with redis.Redis.from_url(own_redis.url, retry=None) as client:
        with pytest.raises(redis.ConnectionError):
            client.ping()
        own_redis.start()
        assert client.ping()
