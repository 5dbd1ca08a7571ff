"""An operator whose command dies, or whose answer is lost, at any moment of a pin.

What was changed was changed as a whole, and the same operation id finds out and does the rest.
"""

import asyncio
import os
import sys

import pytest

from proxy.control.act import Act
from proxy.control.confirm import NO_WAIT
from proxy.control.pin import Want, pin
from tests.faults.scene import MODEL, PATIENCE_S
from tests.store.relay import relayed

RUN = "from proxy.cli.main import main; main()"
OPERATION = "op-of-the-operator"


# What is on the wire when the command is killed: the server still gets that.
MOMENTS = {
    "as soon as it is connected": b"",
    "while it reads": b"HGET",
    "as it sends the change": OPERATION.encode(),
}


async def killed(relay, piece):
    """Run a pin of v2 and kill it when it sends `piece`; return its status."""
    command = ("-c", RUN, "pin", MODEL, "v2", "--no-wait", "--op-id", OPERATION)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, *command, "--store", relay.url),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        env=dict(os.environ),
    )

    async def kill():
        process.kill()

    relay.before = (piece, kill)
    async with asyncio.timeout(PATIENCE_S):
        return await process.wait()


async def repeated(operator):
    act = Act(by="test", operation=OPERATION)
    return await pin(operator.store, [Want(MODEL, "v2")], act, NO_WAIT)


@pytest.mark.slow
@pytest.mark.parametrize("name", MOMENTS)
async def test_killed_command_leaves_all_or_nothing_and_is_repeated(server, operator, name):
    async with relayed(server.port) as relay:
        status = await killed(relay, MOMENTS[name])
    before = await operator.store.pins()
    events = await operator.store.history(MODEL)
    report = await repeated(operator)
    after = await operator.store.pins()

    held = before.pins[MODEL, "prod"].id
    assert status == -9
    assert (held, before.epoch) in ((operator.version(MODEL, n).id, n) for n in (1, 2))
    assert len(events) == 2 + before.epoch
    assert report.swapped.replayed == (before.epoch == 2)
    assert (after.pins[MODEL, "prod"].id, after.epoch) == (operator.version(MODEL, 2).id, 2)
    assert len(await operator.store.history(MODEL)) == 4
