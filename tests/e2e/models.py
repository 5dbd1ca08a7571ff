"""The models that the end-to-end tests serve, as the files that people write."""

from __future__ import annotations

import json

Files = dict[str, str]

TOOLS = json.dumps(
    [
        {
            "name": "search_catalogue",
            "description": "Search the shop's catalogue.",
            "parameters": {"type": "object", "properties": {"query": {"type": "string"}}},
        }
    ]
)


def recommender(
    system: str = "You recommend jackets.", temperature: float = 0.2, more: str = ""
) -> Files:
    """A model with a system prompt, a tool and a temperature; `more` is added to version.toml."""
    return {
        "version.toml": f"""
[model]
vendor = "openai"
id = "gpt-4o-2024-08-06"
[generation]
temperature = {temperature}
[variables.tone]
default = "friendly"
{more}
""",
        "system.md": system + " Be {{tone}}.\n",
        "tools.json": TOOLS,
    }


def strict() -> Files:
    """A model that lets the app decide nothing."""
    policy = '[policy]\nsystem = "reject"\ngeneration = "reject"\ntools = "reject"\n'
    return recommender(more=policy)


# A model that makes the user's message of variables.
ASKING = {
    **recommender(
        more="[variables.thing]\nrequired = true\n"
        '[variables.days]\ntype = "number"\nrequired = true\n'
    ),
    "user.md": "Which {{thing}} for {{days}} days?\n",
}

JACKETS = recommender()
HATS = recommender("You recommend hats.", 0.7)

SHOWN = (
    "[gpt-4o-2024-08-06 | temperature 0.2 | tools search_catalogue"
    " | system: You recommend jackets. Be friendly.] You asked: What should I wear?"
)
SHOWN_HATS = SHOWN.replace("jackets", "hats").replace("0.2", "0.7")
