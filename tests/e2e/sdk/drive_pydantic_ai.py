"""Calls a proxy as an app would, with pydantic-ai on top of the openai SDK; prints one JSON object.

Run as a script by the tests, in an environment of its own.
"""

import asyncio
import json
import os
import sys

import httpx2
from openai import AsyncOpenAI
from pydantic import BaseModel
from pydantic_ai import Agent, NativeOutput
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.openai import OpenAIProvider

QUESTION = "What should I wear?"
STAMP = "x-proxy-version"
STAMPS = []


class Verdict(BaseModel):
    text: str
    score: float


async def noted(answer):
    STAMPS.append(answer.headers.get(STAMP))


def agent(client, name="recommender", kind=OpenAIChatModel, **options):
    return Agent(kind(name, provider=OpenAIProvider(openai_client=client)), **options)


async def text(client):
    return (await agent(client).run(QUESTION)).output


async def stream(client):
    async with agent(client).run_stream(QUESTION) as reply:
        parts = [part async for part in reply.stream_text(delta=True)]
    return ["".join(parts), reply.usage.output_tokens > 0]


async def tools(client):
    """The agent's own tool of the version's name runs the call that the version's tool made."""
    made = agent(client)
    asked = []

    @made.tool_plain
    def search_catalogue(query: str = "") -> str:
        asked.append(query)
        return "three jackets"

    reply = await made.run("call search_catalogue")
    return [len(asked), reply.output.rpartition("] ")[2]]


async def structured(client):
    return (await agent(client, output_type=NativeOutput(Verdict)).run(QUESTION)).output.score


async def responses(client):
    return (await agent(client, kind=OpenAIResponsesModel).run(QUESTION)).output


async def unknown_model(client):
    return (await agent(client, "nobody").run(QUESTION)).output


async def vendor_refuses(client):
    return (await agent(client).run("[[sim:status 429]]")).output


async def broken_stream(client):
    async with agent(client).run_stream("[[sim:cut after=2]]") as reply:
        return await reply.get_output()


FACTS = (
    text,
    stream,
    tools,
    structured,
    responses,
    unknown_model,
    vendor_refuses,
    broken_stream,
)


async def outcome(fact, client):
    try:
        return {"result": await fact(client)}
    except Exception as error:
        return {"error": type(error).__name__, "status": getattr(error, "status_code", None)}


async def main():
    async with httpx2.AsyncClient(event_hooks={"response": [noted]}) as transport:
        client = AsyncOpenAI(
            base_url=sys.argv[1] + "/v1",
            api_key=os.environ["APP_KEY"],
            max_retries=0,
            http_client=transport,
        )
        found = {fact.__name__: await outcome(fact, client) for fact in FACTS}
    json.dump({**found, "stamps": sorted({stamp for stamp in STAMPS if stamp})}, sys.stdout)


if __name__ == "__main__":
    asyncio.run(main())
