"""What the tests with the openai SDK share: a client, a question, and an answer's shape."""

import openai
from pydantic import BaseModel

QUESTION = [{"role": "user", "content": "What should I wear?"}]


class Verdict(BaseModel):
    text: str
    score: float


def client_of(proxy, **options):
    """Return a client that makes no second attempt unless `options` say so."""
    return openai.AsyncOpenAI(
        base_url=proxy.base_url, api_key="sk-app-0000", **{"max_retries": 0, **options}
    )


async def ask(client, model="recommender", **fields):
    """Return the text of the answer to `QUESTION`."""
    reply = await client.chat.completions.create(model=model, messages=QUESTION, **fields)
    return reply.choices[0].message.content
