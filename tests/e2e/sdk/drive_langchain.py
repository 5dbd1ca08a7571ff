"""Calls a proxy as an app would, with LangChain on top of the openai SDK; prints one JSON object.

Run as a script by the tests, in an environment of its own.
"""

import json
import os
import sys

from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel

QUESTION = "What should I wear?"
STAMP = "x-proxy-version"


class Verdict(BaseModel):
    text: str
    score: float


@tool
def search_catalogue(query: str = "") -> str:
    """Search the shop's catalogue."""
    return "three jackets"


def chat(model="recommender", **options):
    return ChatOpenAI(
        model=model,
        base_url=sys.argv[1] + "/v1",
        api_key=os.environ["APP_KEY"],
        max_retries=0,
        **options,
    )


def text():
    reply = chat(include_response_headers=True).invoke(QUESTION)
    return [reply.response_metadata["headers"][STAMP], reply.content]


def stream():
    parts = list(chat(include_response_headers=True).stream(QUESTION))
    return [parts[0].response_metadata["headers"][STAMP], "".join(part.content for part in parts)]


def tools():
    """The app's own tool of the version's name runs the call that the version's tool made."""
    bound = chat().bind_tools([search_catalogue])
    asked = HumanMessage("call search_catalogue")
    made = bound.invoke([asked])
    (call,) = made.tool_calls
    told = ToolMessage(search_catalogue.invoke(call["args"]), tool_call_id=call["id"])
    return [call["name"], bound.invoke([asked, made, told]).content.rpartition("] ")[2]]


def structured():
    return chat().with_structured_output(Verdict).invoke(QUESTION).score


def responses():
    reply = chat(use_responses_api=True).invoke(QUESTION)
    return reply.text


def embedded():
    made = OpenAIEmbeddings(
        model="recommender",
        base_url=sys.argv[1] + "/v1",
        api_key=os.environ["APP_KEY"],
        check_embedding_ctx_length=False,
    )
    return len(made.embed_query("rain"))


def unknown_model():
    return chat("nobody").invoke(QUESTION).content


def vendor_refuses():
    return chat().invoke("[[sim:status 429]]").content


def broken_stream():
    return [part.content for part in chat().stream("[[sim:cut after=2]]")]


FACTS = (
    text,
    stream,
    tools,
    structured,
    responses,
    embedded,
    unknown_model,
    vendor_refuses,
    broken_stream,
)


def outcome(fact):
    try:
        return {"result": fact()}
    except Exception as error:
        kinds = [kind.__name__ for kind in type(error).__mro__]
        return {"error": kinds, "code": getattr(error, "code", None)}


if __name__ == "__main__":
    json.dump({fact.__name__: outcome(fact) for fact in FACTS}, sys.stdout)
