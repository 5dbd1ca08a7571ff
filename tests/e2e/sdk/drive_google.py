"""Calls a proxy as an app would, with the google-genai SDK that is installed; prints a JSON object.

Run as a script by the tests, in environments of their own. It uses only what all generations of
the SDK have in common. `FACTS` are the names of what is printed.
"""

import asyncio
import json
import os
import sys

import pydantic
from google import genai

QUESTION = "What should I wear?"
VERTEX = "vertex"


class Order(pydantic.BaseModel):
    order_id: str
    state: str


def get_order_status(order_id: str) -> dict:
    """Look up an order."""
    return {"state": f"sent {order_id}"}


def ask(client, said=QUESTION, model="recommender", **config):
    return client.models.generate_content(model=model, contents=said, config=config or None)


def stamp_of(response):
    return response.sdk_http_response.headers["x-proxy-version"]


def text(client):
    return ask(client).text


def headers(client):
    response = ask(client, system_instruction="You sell umbrellas.", max_output_tokens=7)
    told = response.sdk_http_response.headers
    return [told["x-proxy-version"], told["x-proxy-dropped"], response.text]


def usage(client):
    response = ask(client)
    counted = response.usage_metadata
    return [response.model_version, counted.candidates_token_count == len(response.text.split())]


def stream(client):
    chunks = list(client.models.generate_content_stream(model="recommender", contents=QUESTION))
    stamps = {stamp_of(chunk) for chunk in chunks}
    return [*stamps, "".join(chunk.text or "" for chunk in chunks), len(chunks) > 3]


def chat(client):
    """The SDK keeps the conversation, and sends it all with each message."""
    talk = client.chats.create(model="recommender")
    first = "".join(chunk.text or "" for chunk in talk.send_message_stream(QUESTION))
    return [first, "earlier messages 2" in talk.send_message("And now?").text]


def tool_call(client):
    return [call.name for call in ask(client, "call search_catalogue").function_calls]


def own_tool(client):
    """The SDK runs the app's function, and asks again with what it returned."""
    return ask(client, "call get_order_status", "open", tools=[get_order_status]).text


def structured(client):
    wanted = {"response_mime_type": "application/json", "response_schema": Order}
    parsed = ask(client, model="open", **wanted).parsed
    return [type(parsed).__name__, parsed.state.startswith("[")]


def variables(client):
    extra = {"extra_body": {"proxy_variables": {"tone": "dry"}}}
    return ask(client, http_options=extra).text


def count(client):
    counted = client.models.count_tokens(model="recommender", contents=QUESTION).total_tokens
    return counted == ask(client).usage_metadata.prompt_token_count


def embeddings(client):
    made = client.models.embed_content(model="embedder", contents=["a", "b"])
    return [len(one.values) for one in made.embeddings]


def models(client):
    return [model.name for model in client.models.list()]


def model(client):
    return client.models.get(model="recommender").version


def label(client):
    return ask(client, model="recommender@prod").text


def asynchronous(client):
    async def asked():
        response = await client.aio.models.generate_content(model="recommender", contents=QUESTION)
        return response.text

    return asyncio.run(asked())


def on_vertex(client):
    vertex = genai.Client(vertexai=True, api_key=os.environ["APP_KEY"], http_options=options())
    counted = vertex.models.count_tokens(model="recommender", contents=QUESTION).total_tokens
    response = ask(vertex)
    return [response.text, counted == response.usage_metadata.prompt_token_count]


def unknown_model(client):
    return ask(client, model="nobody").text


def override(client):
    return ask(client, model="strict", temperature=1.0).text


def vendor_refuses(client):
    return ask(client, "hi [[sim:status 429]]").text


def vendor_fails(client):
    return ask(client, "hi [[sim:status 503]]").text


def heard(client, said):
    return [
        chunk.text
        for chunk in client.models.generate_content_stream(model="recommender", contents=said)
    ]


def broken_stream(client):
    return heard(client, "hi [[sim:cut after=3]]")


def failing_stream(client):
    return heard(client, "hi [[sim:error after=3]]")


FACTS = (
    *(text, headers, usage, stream, chat, tool_call, own_tool, structured, variables, count),
    *(embeddings, models, model, label, asynchronous, on_vertex, unknown_model, override),
    *(vendor_refuses, vendor_fails, broken_stream, failing_stream),
)


def options():
    return {"base_url": sys.argv[1]}


def reason_of(error):
    """Return the proxy's code, where the SDK shows what came."""
    details = getattr(error, "details", None)
    found = details.get("error", {}).get("details", []) if isinstance(details, dict) else []
    return found[0].get("reason") if found else None


def outcome(fact, client):
    try:
        return {"result": fact(client)}
    except Exception as error:
        kinds = [kind.__name__ for kind in type(error).__mro__]
        told = {"status": getattr(error, "code", None), "reason": reason_of(error)}
        return {"error": kinds, **told, "words": str(error)[:300]}


def main():
    client = genai.Client(api_key=os.environ["APP_KEY"], http_options=options())
    found = {fact.__name__: outcome(fact, client) for fact in FACTS}
    json.dump({"sdk": genai.__version__, **found}, sys.stdout)


if __name__ == "__main__":
    main()
