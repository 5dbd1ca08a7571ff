"""Calls a proxy as an app would, with the SDK of Mistral that is installed; prints JSON.

Run as a script by the tests, in environments of their own.
"""

import json
import os
import sys

from pydantic import BaseModel

try:
    import httpx2 as transport
    from mistralai.client import Mistral
except ImportError:  # an older generation
    import httpx as transport
    from mistralai import Mistral

QUESTION = [{"role": "user", "content": "What should I wear?"}]
STAMP = "x-proxy-version"


class Verdict(BaseModel):
    text: str
    score: float


def said(text):
    return [{"role": "user", "content": text}]


def text(client):
    reply = client.chat.complete(model="recommender", messages=QUESTION)
    return [reply.model, reply.choices[0].message.content]


def stream(client):
    with client.chat.stream(model="recommender", messages=QUESTION) as events:
        stamp = events.response.headers[STAMP]
        parts = [choice.delta.content or "" for e in events for choice in e.data.choices]
    return [stamp, "".join(parts)]


def tool_call(client):
    reply = client.chat.complete(model="recommender", messages=said("call search_catalogue"))
    return reply.choices[0].message.tool_calls[0].function.name


def structured(client):
    reply = client.chat.parse(Verdict, model="recommender", messages=QUESTION)
    return reply.choices[0].message.parsed.score


def limited(client):
    reply = client.chat.complete(model="recommender", messages=QUESTION, max_tokens=3)
    return reply.choices[0].finish_reason


def models(client):
    return [model.id for model in client.models.list().data]


def unknown_model(client):
    return client.chat.complete(model="nobody", messages=QUESTION).id


def vendor_refuses(client):
    return client.chat.complete(model="recommender", messages=said("[[sim:status 429]]")).id


def broken_stream(client):
    messages = said("[[sim:cut after=2]]")
    with client.chat.stream(model="recommender", messages=messages) as events:
        return [event.data.id for event in events]


FACTS = (
    text,
    stream,
    tool_call,
    structured,
    limited,
    models,
    unknown_model,
    vendor_refuses,
    broken_stream,
)


def outcome(fact, client):
    try:
        return {"result": fact(client)}
    except Exception as error:
        status = getattr(error, "status_code", None)
        headers = getattr(error, "headers", None) or {}
        code = headers.get("x-proxy-error")
        return {"error": type(error).__name__, "status": status, "code": code}


def main():
    stamps = []
    hooks = {"response": [lambda answer: stamps.append(answer.headers.get(STAMP))]}
    with transport.Client(event_hooks=hooks) as calls:
        client = Mistral(server_url=sys.argv[1], api_key=os.environ["APP_KEY"], client=calls)
        found = {fact.__name__: outcome(fact, client) for fact in FACTS}
    json.dump({**found, "stamps": sorted({stamp for stamp in stamps if stamp})}, sys.stdout)


if __name__ == "__main__":
    main()
