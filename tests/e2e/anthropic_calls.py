"""What the tests with the anthropic SDK share: models, a proxy, a client, a question."""

from __future__ import annotations

from contextlib import asynccontextmanager

import anthropic

from tests.e2e.models import TOOLS
from tests.harness import running_proxy

QUESTION = [{"role": "user", "content": "What should I wear?"}]
CALL = [{"role": "user", "content": "please call search_catalogue"}]

VENDOR_MODEL = "claude-opus-5-5-2026-07-09"


def claude(system="You recommend jackets.", more="", generation="max_output_tokens = 300"):
    """A model of Anthropic's, with a system prompt, a tool and a limit."""
    return {
        "version.toml": f"""
[model]
vendor = "anthropic"
id = "{VENDOR_MODEL}"
[generation]
{generation}
[variables.tone]
default = "friendly"
{more}
""",
        "system.md": system + " Be {{tone}}.\n",
        "tools.json": TOOLS,
    }


STRICT = claude(more='[policy]\nsystem = "reject"\ngeneration = "reject"\ntools = "reject"\n')
# Sampling parameters, which only the older API takes.
WARM = claude(generation="max_output_tokens = 300\ntemperature = 0.2")
# Lets an app bring its own tools beside the version's.
OPEN = claude(more='[policy]\nsystem = "append"\ntools = "extend"\ngeneration = "default"\n')

SHOWN = (
    f"[{VENDOR_MODEL} | max_tokens 300 | tools search_catalogue"
    " | system: You recommend jackets. Be friendly.] You asked: What should I wear?"
)

MODELS = {"recommender": claude(), "strict": STRICT, "warm": WARM, "open": OPEN}


@asynccontextmanager
async def claude_proxy(directory, vendor_url, models, **entry):
    """Run a proxy in front of a vendor that speaks Anthropic's API and nothing else."""
    vendors = {"anthropic": {"dialects": ["anthropic.messages"], **entry}}
    async with running_proxy(directory, vendor_url, models, {"vendors": vendors}) as proxy:
        yield proxy


def client_of(proxy, **options):
    """Return a client that makes no second attempt unless `options` say so."""
    return anthropic.AsyncAnthropic(
        base_url=proxy.url, api_key="sk-app-0000", **{"max_retries": 0, **options}
    )


async def ask(client, model="recommender", messages=QUESTION, **fields):
    """Return the text of the answer to `messages`."""
    reply = await client.messages.create(
        model=model, messages=messages, **{"max_tokens": 1000, **fields}
    )
    return reply.content[0].text
