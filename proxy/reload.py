"""Settings that are read again while a proxy runs: what is wrong with them keeps the old ones."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from proxy.errors import InvalidFiles, ProxyError
from proxy.gateway.credential import unusable
from proxy.settings import Settings

# Requests that a reload leaves to the proxy before end by their own limits; this is for what has
# none.
HANDED_OVER_S = 3600.0

Reload = Callable[[], Settings]
"""Reads the settings as they were read at the start. Raises `InvalidFiles`."""


class Rejected(Exception):
    """New settings that cannot be used, and every reason; no value is repeated."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = list(problems)


async def read_again(reload: Reload, before: Settings, env: Mapping[str, str]) -> Settings:
    """Return the settings as they are now. Raises `Rejected` if they could not replace `before`."""
    with rejecting():
        settings = await asyncio.to_thread(reload)
    problems = [*unchangeable(before, settings), *unusable(settings.vendors, before.vendors, env)]
    if problems:
        raise Rejected(problems)
    return settings


def unchangeable(before: Settings, after: Settings) -> Iterator[str]:
    """Yield what can only be changed by a restart."""
    if before.listen.workers != after.listen.workers:
        yield f"listen.workers: stays {before.listen.workers} until a restart"


@contextmanager
def rejecting() -> Iterator[None]:
    """Turn what keeps a proxy from starting into `Rejected`; the one that serves lives on."""
    try:
        yield
    except Rejected:
        raise
    except InvalidFiles as error:
        raise Rejected([str(problem) for problem in error.problems]) from None
    except ProxyError as error:
        raise Rejected([error.message]) from None
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        raise Rejected([f"{place}{error.strerror or type(error).__name__}"]) from None
    except Exception as error:
        # A mistake of ours as well: the text could hold what stands in the file.
        raise Rejected([type(error).__name__]) from None
