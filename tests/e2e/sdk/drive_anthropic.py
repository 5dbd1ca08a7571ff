"""Calls a proxy as an app would, with whatever anthropic SDK is installed; prints one JSON object.

Run as a script by the tests, in environments of their own. It uses only what all generations of
the SDK have in common. `FACTS` are the names of what is printed.
"""

import json
import os
import sys

import anthropic

QUESTION = [{"role": "user", "content": "What should I wear?"}]


def create(client, model="recommender", said=None, **fields):
    messages = QUESTION if said is None else [{"role": "user", "content": said}]
    return client.messages.create(model=model, messages=messages, max_tokens=1000, **fields)


def text(client):
    return create(client).content[0].text


def sampled(client):
    return create(client, "warm").content[0].text


def headers(client):
    raw = client.messages.with_raw_response.create(
        model="recommender", messages=QUESTION, max_tokens=1000, system="You sell umbrellas."
    )
    dropped = sorted(raw.headers["x-proxy-dropped"].split(","))
    return [raw.headers["x-proxy-version"], dropped, raw.parse().content[0].text]


def stream(client):
    events = create(client, stream=True)
    stamp = events.response.headers["x-proxy-version"]
    pieces = [event.delta.text for event in events if event.type == "content_block_delta"]
    return [stamp, "".join(pieces)]


def stream_helper(client):
    with client.messages.stream(model="recommender", messages=QUESTION, max_tokens=1000) as events:
        return events.get_final_message().content[0].text


def beta(client):
    reply = client.beta.messages.create(
        model="recommender", messages=QUESTION, max_tokens=1000, betas=["one-2025-01-01"]
    )
    return reply.content[0].text


def tool_call(client):
    return create(client, said="call search_catalogue").content[0].name


def count(client):
    counted = client.messages.count_tokens(model="recommender", messages=QUESTION).input_tokens
    return counted == create(client).usage.input_tokens


def models(client):
    return [model.id for model in client.models.list()]


def broken_stream(client):
    return [event.type for event in create(client, said="[[sim:cut after=4]]", stream=True)]


def unknown_model(client):
    return create(client, "nobody").id


def vendor_refuses(client):
    return create(client, said="hi [[sim:status 429]]").id


def vendor_overloaded(client):
    return create(client, said="hi [[sim:status 529]]").id


FACTS = (
    text,
    sampled,
    headers,
    stream,
    stream_helper,
    beta,
    tool_call,
    count,
    models,
    broken_stream,
    unknown_model,
    vendor_refuses,
    vendor_overloaded,
)


def outcome(fact, client):
    try:
        return {"result": fact(client)}
    except Exception as error:
        kinds = [kind.__name__ for kind in type(error).__mro__]
        return {"error": kinds, "status": getattr(error, "status_code", None)}


def main():
    client = anthropic.Anthropic(base_url=sys.argv[1], api_key=os.environ["APP_KEY"], max_retries=0)
    found = {fact.__name__: outcome(fact, client) for fact in FACTS}
    json.dump({"sdk": anthropic.__version__, **found}, sys.stdout)


if __name__ == "__main__":
    main()
