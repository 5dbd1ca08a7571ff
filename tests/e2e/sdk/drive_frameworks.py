"""Calls a proxy as an app would, with LangChain and pydantic-ai on top of Anthropic's and Google's
SDKs; prints one JSON object.

Run as a script by the tests, in an environment of its own. Each fact is found with each framework
in each dialect, and named `FRAMEWORK_MODEL_FACT`.
"""

import asyncio
import json
import os
import sys

from langchain_anthropic import ChatAnthropic
from langchain_core.tools import tool
from langchain_google_genai import ChatGoogleGenerativeAI
from pydantic import BaseModel
from pydantic_ai import Agent, NativeOutput
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.google import GoogleModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.google import GoogleProvider

QUESTION = "What should I wear?"
URL, KEY = sys.argv[1], os.environ["APP_KEY"]


class Verdict(BaseModel):
    text: str
    score: float


def search_catalogue(query: str = "") -> str:
    """Search the shop's catalogue."""
    return "three jackets"


class LangChain:
    """LangChain: what a chat model returns is a message, of text or of parts."""

    def __init__(self, model):
        self.model = model

    def chat(self, name=""):
        if self.model == "claude":
            return ChatAnthropic(model=name or self.model, base_url=URL, api_key=KEY, max_retries=0)
        return ChatGoogleGenerativeAI(
            model=name or self.model, base_url=URL, google_api_key=KEY, max_retries=1
        )

    def text(self):
        return self.chat().invoke(QUESTION).text

    def stream(self):
        return "".join(part.text for part in self.chat().stream(QUESTION))

    def tools(self):
        bound = self.chat().bind_tools([tool(search_catalogue)])
        return bound.invoke("call search_catalogue").tool_calls[0]["name"]

    def structured(self):
        made = self.chat().with_structured_output(Verdict, method="json_schema")
        return made.invoke(QUESTION).score

    def unknown_model(self):
        return self.chat("nobody").invoke(QUESTION).text


class PydanticAI:
    """pydantic-ai: an agent runs its own tools."""

    def __init__(self, model):
        self.model = model

    def agent(self, name="", **options):
        kind, provider = (
            (AnthropicModel, AnthropicProvider)
            if self.model == "claude"
            else (GoogleModel, GoogleProvider)
        )
        made = kind(name or self.model, provider=provider(api_key=KEY, base_url=URL))
        return Agent(made, **options)

    def text(self):
        return self.agent().run_sync(QUESTION).output

    def stream(self):
        return asyncio.run(self.streamed())

    async def streamed(self):
        async with self.agent().run_stream(QUESTION) as reply:
            return await reply.get_output()

    def tools(self):
        reply = self.agent(tools=[search_catalogue]).run_sync("call search_catalogue")
        return reply.output.rpartition("said: ")[2]

    def structured(self):
        """By a tool with Anthropic: it knows by a model's name which of them has more."""
        wanted = Verdict if self.model == "claude" else NativeOutput(Verdict)
        return self.agent(output_type=wanted).run_sync(QUESTION).output.score

    def unknown_model(self):
        return self.agent("nobody").run_sync(QUESTION).output


FACTS = ("text", "stream", "tools", "structured", "unknown_model")


def outcome(fact):
    try:
        return {"result": fact()}
    except Exception as error:
        return {"error": type(error).__name__, "told": "unknown_model" in str(error)}


if __name__ == "__main__":
    found = {
        f"{kind.__name__}_{model}_{fact}": outcome(getattr(kind(model), fact))
        for kind in (LangChain, PydanticAI)
        for model in ("claude", "gemini")
        for fact in FACTS
    }
    json.dump(found, sys.stdout)
