"""`python -m proxy.simvendor`: run the simulated vendor until it is told to stop."""

from __future__ import annotations

import asyncio
import signal

import click

from proxy.simvendor.server import SimulatedVendor


@click.command(
    help="A simulated vendor: speaks the vendors' dialects and repeats what it was given."
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=9000, show_default=True, help="0 picks a free one.")
@click.option("--pace-ms", default=0.0, show_default=True, help="Wait before each event.")
@click.option("--no-auth", is_flag=True, help="Answer requests without a credential too.")
@click.option("--model", "models", multiple=True, help="List this model too.")
def main(host: str, port: int, pace_ms: float, no_auth: bool, models: tuple[str, ...]) -> None:
    vendor = SimulatedVendor(port, host=host, pace_ms=pace_ms, auth=not no_auth, models=models)
    asyncio.run(_serve(vendor))


async def _serve(vendor: SimulatedVendor) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    async with vendor:
        click.echo(f"simulated vendor on {vendor.url}")
        await stopped.wait()


if __name__ == "__main__":
    main()
