"""A simulated vendor on loopback, for `proxyctl up` and tests. Shares nothing with the proxy.

- `server` has the paths of all vendors, `player` plays a script to one caller, `script` is what
  may go wrong, step by step.
- A dialect a module: `chat`, `responses`, `completions`, `embeddings`, `messages`, `gemini`;
  `asked` and `answer` are the forms that they share, `texts` requests of texts alone, `lists`
  the lists of models, `stored` responses that are kept, `example` values for structured output.
- What is refused, and how: `wrong`, `messages_wrong`, `gemini_wrong`.
"""
