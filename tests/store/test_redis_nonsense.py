"""Answers that no Redis gives: none of them is taken for news, and none is an error of our own."""

import pytest

from proxy.errors import OutcomeUnknown, StoreUnavailable, StoreUnsafe
from proxy.store.redis_keys import Keys
from proxy.store.redis_url import source
from proxy.store.redis_watch import watch
from tests.contracts.places import MODEL, operation
from tests.store.scripted import scripted
from tests.store.story import until

# What is no answer in the protocol's own terms.
BROKEN = {
    "http": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "zeros": b"\x00" * 99,
    "negative length": b"$-7\r\n",
    "no address": b"-MOVED nowhere\r\n",
    "no port": b"-ASK 1 host:port\r\n",
}
# What is well formed, and not what was asked for.
STRANGE = {
    "number": b":7\r\n",
    "list of numbers": b"*1\r\n:7\r\n",
    "map": b"%1\r\n+a\r\n+b\r\n",
    "deep list": b"*1\r\n" * 99 + b":1\r\n",
}
# What says nothing, or does not end.
SILENT = {
    "endless text": b"$999999999999\r\n",
    "message of others": b">3\r\n+message\r\n+theirs\r\n+x\r\n",
    "invalidation": b">2\r\n+invalidate\r\n_\r\n",
}


def answers(*kinds):
    every = {name: answer for kind in kinds for name, answer in kind.items()}
    return pytest.mark.parametrize("answer", every.values(), ids=every)


PLAIN = {
    b"INFO": b"$0\r\n\r\n",
    b"PING": b"+PONG\r\n",
    b"SUBSCRIBE": b">3\r\n$9\r\nsubscribe\r\n$15\r\n{proxy}:changes\r\n:1\r\n",
    b"SMEMBERS": b"~0\r\n",
    b"MGET": b"*1\r\n$-1\r\n",
}


@answers(BROKEN, SILENT)
async def test_a_read_of_nonsense_is_refused(answer, connect):
    async with scripted({**PLAIN, b"SMEMBERS": answer}) as server:
        with pytest.raises((StoreUnavailable, StoreUnsafe)):
            await connect(f"redis://127.0.0.1:{server.port}", deadline_s=0.1).models()


@answers(BROKEN, STRANGE, SILENT)
async def test_a_login_that_is_answered_with_nonsense_is_none(answer, connect):
    async with scripted({**PLAIN, b"HELLO": answer}) as server:
        with pytest.raises((StoreUnavailable, StoreUnsafe)):
            await connect(f"redis://u:p@127.0.0.1:{server.port}", deadline_s=0.1).models()


@answers(BROKEN, SILENT)
async def test_after_a_write_nonsense_is_an_unknown_outcome(answer, connect):
    async with scripted({**PLAIN, b"EVAL": answer}) as server:
        store = connect(f"redis://127.0.0.1:{server.port}", deadline_s=0.1)
        with pytest.raises(OutcomeUnknown):
            await store.freeze(MODEL, True, by="ada", reason="", operation=operation())


@pytest.mark.parametrize("word", [b"HELLO", b"INFO"])
@answers(BROKEN)
async def test_a_watch_that_hears_nonsense_at_its_start_ends(word, answer):
    await ends({**PLAIN, word: answer})


@pytest.mark.parametrize("word", [b"SUBSCRIBE", b"MGET", b"SMEMBERS"])
@answers(BROKEN, STRANGE, SILENT)
async def test_a_watch_that_hears_nonsense_ends(word, answer):
    await ends({**PLAIN, word: answer})


async def ends(said):
    """Watch what answers like this, with a login; that must end, and as a store that is away."""
    async with scripted(said) as server:
        make = source(f"redis://u:p@127.0.0.1:{server.port}").make
        with pytest.raises(StoreUnavailable):
            await until(watch(make, Keys(), (), poll_s=0.01), lambda seen: False)
