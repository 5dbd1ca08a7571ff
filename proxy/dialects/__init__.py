"""A vendor's wire format a module: read a body, splice the version in, watch the answer. Pure.

- For all: `base` is the protocol of a dialect, `registry` lists them. `raw` takes JSON apart
  one level deep, `members` merges an object of a body, `text` fills templates in, `neutral` has
  what every body calls alike. `policy` decides on generation parameters, `tools` on tools,
  `messages` on messages and system prompts. `sse` watches streams, `told` is what readers of
  answers have in common, `differences` names fields that would
  change, `samples` are the smallest requests.
- OpenAI: `openai_chat`, `openai_responses`, `openai_embeddings`, `openai_completions`;
  `openai_common`, `openai_bare` (those without prompts and tools), `openai_deployments`
  (Azure's paths); answers in `chat_answer`, `responses_answer`, `embeddings_answer`;
  `stored_prompt` and `stored_prompt_texts` read prompts that were stored at the vendor.
- Anthropic: `anthropic_messages` with `anthropic_answer`, `anthropic_cache`,
  `anthropic_common`, `anthropic_generation`, `anthropic_output`, `anthropic_system`,
  `anthropic_tools`.
- Gemini: `gemini_generate` and `gemini_embedding` with `gemini_answer`, `gemini_common`,
  `gemini_generation`, `gemini_names`, `gemini_paths`, `gemini_system`, `gemini_tools`.
- From a request back to a version: `adopt`, with `adopt_openai`, `adopt_anthropic`,
  `adopt_gemini`.
"""
