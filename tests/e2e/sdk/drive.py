"""Calls a proxy as an app would, with whatever openai SDK is installed; prints one JSON object.

Run as a script by the tests, in environments of their own. It uses only what all generations of
the SDK have in common. `FACTS` are the names of what is printed.
"""

import json
import os
import sys

import openai
from pydantic import BaseModel

QUESTION = [{"role": "user", "content": "What should I wear?"}]


class Verdict(BaseModel):
    text: str
    score: float


def chat(client):
    return client.chat.completions.create(model="recommender", messages=QUESTION)


def text(client):
    return chat(client).choices[0].message.content


def headers(client):
    raw = client.chat.completions.with_raw_response.create(model="recommender", messages=QUESTION)
    return [raw.headers["x-proxy-version"], raw.parse().choices[0].message.content]


def stream(client):
    events = client.chat.completions.create(model="recommender", messages=QUESTION, stream=True)
    stamp = events.response.headers["x-proxy-version"]
    return [stamp, "".join(event.choices[0].delta.content or "" for event in events)]


def usage(client):
    events = client.chat.completions.create(
        model="recommender",
        messages=QUESTION,
        stream=True,
        stream_options={"include_usage": True},
    )
    return [event.usage.total_tokens for event in events if event.usage]


def tool_call(client):
    ask = [{"role": "user", "content": "call search_catalogue"}]
    reply = client.chat.completions.create(model="recommender", messages=ask)
    return reply.choices[0].message.tool_calls[0].function.name


def structured(client):
    create = getattr(client.chat.completions, "parse", None) or client.beta.chat.completions.parse
    reply = create(model="recommender", messages=QUESTION, response_format=Verdict)
    return reply.choices[0].message.parsed.score


def responses(client):
    return client.responses.create(model="recommender", input="What should I wear?").output_text


def responses_stream(client):
    with client.responses.stream(model="recommender", input="What should I wear?") as events:
        kinds = [event.type for event in events]
        return [kinds[0], kinds[-1], events.get_final_response().output_text]


def prompt(client):
    reply = client.responses.create(
        input="What should I wear?",
        prompt={"id": "recommender", "version": "1", "variables": {"tone": "dry"}},
    )
    return reply.output_text


def embedded(client):
    """By default the SDK asks for packed numbers, and unpacks them."""
    return len(client.embeddings.create(model="recommender", input="rain").data[0].embedding)


def models(client):
    return [model.id for model in client.models.list()]


def broken_stream(client):
    ask = [{"role": "user", "content": "hi [[sim:cut after=2]]"}]
    events = client.chat.completions.create(model="recommender", messages=ask, stream=True)
    return [event.object for event in events]


def unknown_model(client):
    return client.chat.completions.create(model="nobody", messages=QUESTION).id


def vendor_refuses(client):
    ask = [{"role": "user", "content": "hi [[sim:status 429]]"}]
    return client.chat.completions.create(model="recommender", messages=ask).id


FACTS = (
    text,
    headers,
    stream,
    usage,
    tool_call,
    structured,
    responses,
    responses_stream,
    prompt,
    embedded,
    models,
    broken_stream,
    unknown_model,
    vendor_refuses,
)


def outcome(fact, client):
    try:
        return {"result": fact(client)}
    except Exception as error:
        kinds = [kind.__name__ for kind in type(error).__mro__]
        status = getattr(error, "status_code", None)
        return {"error": kinds, "code": getattr(error, "code", None), "status": status}


def main():
    client = openai.OpenAI(base_url=sys.argv[1], api_key=os.environ["APP_KEY"], max_retries=0)
    found = {fact.__name__: outcome(fact, client) for fact in FACTS}
    json.dump({"sdk": openai.__version__, **found}, sys.stdout)


if __name__ == "__main__":
    main()
