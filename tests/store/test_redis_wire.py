"""One connection: answers in step, whatever the network does to them, and one end."""

import asyncio
from contextlib import asynccontextmanager

import pytest
import uvloop

from proxy.store.redis_answers import Nonsense, Refused
from proxy.store.redis_wire import Socket, pack
from tests.listening import listening

GET = ("GET", "x")
BOTH = b"$1\r\na\r\n:7\r\n"


class Peer:
    """The other side of a connection. `heard` is all that came."""

    def __init__(self, reader, writer):
        self.writer = writer
        self.heard = b""
        self._reader = reader

    def says(self, *pieces):
        for piece in pieces:
            self.writer.write(piece)

    async def hears(self, count=1):
        """Wait for so many commands."""
        while self.heard.count(b"*") < count:
            self.heard += await self._reader.read(65536)

    async def closed(self):
        while await self._reader.read(65536):
            pass


@asynccontextmanager
async def connected():
    """Yield a wire, and who is at its other end."""
    met = asyncio.get_running_loop().create_future()

    async def meet(reader, writer):
        met.set_result(Peer(reader, writer))

    async with listening(meet) as port:
        _, wire = await asyncio.get_running_loop().create_connection(Socket, "127.0.0.1", port)
        try:
            yield wire, await met
        finally:
            wire.close()


def in_s(seconds):
    return asyncio.get_running_loop().time() + seconds


async def asked(wire, *commands, within_s=5.0):
    return await wire.ask(commands, in_s(within_s))


async def told(wire, peer, *pieces, commands=(GET,)):
    """Ask, have `pieces` said, and return the answers."""
    asking = asyncio.ensure_future(asked(wire, *commands))
    await peer.hears(len(commands))
    peer.says(*pieces)
    return await asking


async def test_answers_come_in_the_order_of_the_commands():
    async with connected() as (wire, peer):
        assert await told(wire, peer, BOTH, commands=(GET, ("INCR", "n"))) == [b"a", 7]
        assert peer.heard == pack([GET, ("INCR", "n")])
        assert wire.in_step


@pytest.mark.parametrize("at", range(1, len(BOTH)))
async def test_answers_do_not_depend_on_how_they_were_cut(at):
    async with connected() as (wire, peer):
        asking = asyncio.ensure_future(asked(wire, GET, GET))
        await peer.hears(2)
        peer.says(BOTH[:at])
        await peer.writer.drain()
        await asyncio.sleep(0)
        peer.says(BOTH[at:])

        assert await asking == [b"a", 7]


@pytest.mark.parametrize(
    ("said", "answer"), [(b"#f\r\n", False), (b"_\r\n", None), (b"*0\r\n", [])]
)
async def test_nothing_is_an_answer_too(said, answer):
    async with connected() as (wire, peer):
        assert await told(wire, peer, said) == [answer]


async def test_an_error_is_raised_once_all_is_answered():
    async with connected() as (wire, peer):
        with pytest.raises(Refused, match="NOPERM no"):
            await told(wire, peer, b"-NOPERM no\r\n", b"+OK\r\n", commands=(GET, GET))

        assert await told(wire, peer, b"$1\r\nb\r\n", commands=(GET,)) == [b"b"]


async def test_a_pushed_message_is_no_answer():
    async with connected() as (wire, peer):
        assert await told(wire, peer, b">2\r\n+invalidate\r\n_\r\n", b":1\r\n") == [1]
        assert wire.in_step


async def test_what_is_said_before_anything_was_asked_is_the_answer():
    """So a server refuses whom it cannot serve."""
    async with connected() as (wire, peer):
        peer.says(b"-ERR max number of clients reached\r\n")
        while wire.in_step:  # noqa: ASYNC110  # what came tells nobody
            await asyncio.sleep(0)

        with pytest.raises(Refused, match="max number"):
            await asked(wire, GET)


async def test_the_reason_counts_where_the_connection_ends_after_it():
    async with connected() as (wire, peer):
        asking = asyncio.ensure_future(asked(wire, GET, GET))
        await peer.hears(2)
        peer.says(b"-ERR max number of clients reached\r\n")
        peer.writer.close()

        with pytest.raises(Refused, match="max number"):
            await asking
        assert not wire.in_step


async def test_an_answer_too_many_puts_it_out_of_step():
    async with connected() as (wire, peer):
        assert await told(wire, peer, b":1\r\n:2\r\n") == [1]
        assert not wire.in_step


async def test_silence_ends_at_its_time_and_is_final():
    async with connected() as (wire, peer):
        with pytest.raises(TimeoutError):
            await asked(wire, GET, within_s=0.05)
        await peer.closed()

        assert not wire.in_step
        with pytest.raises(TimeoutError):
            await asked(wire, GET)


@pytest.mark.parametrize("cut", ["close", "abort"])
async def test_an_end_is_no_silence(cut):
    async with connected() as (wire, peer):
        asking = asyncio.ensure_future(asked(wire, GET))
        await peer.hears()
        peer.says(b"$9\r\nhalf")
        getattr(peer.writer.transport, cut)()

        with pytest.raises(ConnectionError):
            await asking


async def test_what_is_not_the_protocol_ends_it():
    async with connected() as (wire, peer):
        with pytest.raises(Nonsense):
            await told(wire, peer, b"HTTP/1.1 400 Bad Request\r\n")
        await peer.closed()


async def test_who_was_cancelled_leaves_no_answer_behind():
    async with connected() as (wire, peer):
        asking = asyncio.ensure_future(asked(wire, GET))
        await peer.hears()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking

        assert not wire.in_step
        await peer.closed()


class Ears:
    def __init__(self, raises=None):
        self.frames = []
        self.raises = raises
        self.end = asyncio.get_running_loop().create_future()

    def heard(self, frame):
        self.frames.append(frame)
        if self.raises is not None:
            raise self.raises

    def ended(self, error):
        self.end.set_result(error)


async def test_a_listener_hears_everything_and_how_it_ended():
    async with connected() as (wire, peer):
        ears = Ears()
        wire.hear(ears)
        wire.send(pack([GET]))
        await peer.hears()
        peer.says(b">2\r\n+message\r\n+x\r\n", b"-ERR no\r\n", b":1\r\n")
        peer.writer.close()

        assert isinstance(await ears.end, ConnectionError)
        pushed, refusal, answer = ears.frames
        assert (pushed, str(refusal), answer) == ([b"message", b"x"], "ERR no", 1)


async def test_what_a_listener_raises_ends_the_connection():
    async with connected() as (wire, peer):
        ears = Ears(raises=Nonsense())
        wire.hear(ears)
        peer.says(b":1\r\n:2\r\n")

        assert await ears.end is ears.raises
        assert ears.frames == [1]
        await peer.closed()


async def test_who_listens_to_what_has_ended_is_told_so():
    async with connected() as (wire, peer):
        peer.writer.close()
        while wire.in_step:  # noqa: ASYNC110  # an end that nobody waits for
            await asyncio.sleep(0)
        ears = Ears()
        wire.hear(ears)
        wire.send(pack([GET]))

        assert isinstance(await ears.end, ConnectionError)


async def test_who_closes_hears_no_end():
    async with connected() as (wire, peer):
        ears = Ears()
        wire.hear(ears)
        wire.close()
        await peer.closed()

        assert not ears.end.done()


async def test_a_peer_that_takes_nothing_does_not_hold_up_the_closing():
    async with connected() as (wire, peer):
        peer._reader._transport.pause_reading()
        with pytest.raises(TimeoutError):
            await asked(wire, ("SET", "x", b"." * 2**24), within_s=0.05)

        assert wire._transport.is_closing()


def test_the_proxys_own_event_loop_does_as_well():
    async def story():
        async with connected() as (wire, peer):
            assert await told(wire, peer, b"$1\r\na\r\n") == [b"a"]
            with pytest.raises(TimeoutError):
                await asked(wire, GET, within_s=0.05)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(story())
