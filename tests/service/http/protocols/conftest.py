"""OpenAI's own client, for the service that a module starts."""

from collections.abc import AsyncIterator

import openai
import pytest

from tests.service.running import Service


@pytest.fixture
async def client(service: Service) -> AsyncIterator[openai.AsyncOpenAI]:
    """The client; it tries nothing twice."""
    url = f"{service.http.base_url}/v1"
    async with openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as client:
        yield client
