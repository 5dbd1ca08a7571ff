"""How pin, rollback and undo answer: what moved, and who serves it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from proxy.cli.page import (
    DONE,
    NOT_CONFIRMED,
    Answer,
    Block,
    Cell,
    Line,
    Table,
    bad,
    dim,
    good,
    line,
    short,
    strong,
    warning,
)
from proxy.control.act import PinReport
from proxy.control.confirm import Confirmation, Proxy
from proxy.control.prepare import several
from proxy.store.base import Moved


def answer(report: PinReport, notes: Iterable[str] = ()) -> Answer:
    """Return the answer, with `notes` at its end: exit status 3 if fewer proxies confirmed than
    were demanded."""
    return Answer(
        facts=report.json(),
        page=(*_page(report), *(line(dim(note)) for note in notes)),
        warnings=tuple(_warnings(report)),
        status=DONE if report.confirmation.enough else NOT_CONFIRMED,
    )


_NOT_ENOUGH = "the pin is moved, but not every proxy has confirmed it; see proxyctl status"


def _warnings(report: PinReport) -> Iterator[str]:
    for rejection in report.preparation.rejected:
        why = rejection.words or rejection.reason
        yield f"{rejection.proxy} cannot serve {rejection.version}: {why}"
    # In a large fleet all say the same of one vendor.
    said: dict[tuple[str, str], list[str]] = {}
    for remark in report.preparation.remarks:
        said.setdefault((remark.version, remark.words), []).append(remark.proxy)
    for (version, words), proxies in said.items():
        yield f"{version}: {words} (says {several(proxies)})"
    if silent := report.preparation.silent:
        yield f"did not answer before the swap: {', '.join(silent)}"
    if not report.confirmation.enough:
        yield _NOT_ENOUGH


def _page(report: PinReport) -> Iterator[Block]:
    for moved in report.moved:
        yield _moved(moved, report.swapped.epoch)
    if report.swapped.replayed:
        yield line(dim("this operation was carried out before; nothing was changed now"))
    yield _confirmed(report.confirmation)
    if older := report.confirmation.older:
        yield line(dim(f"{older} requests in flight end with the version they began with"))
    behind = [proxy for proxy in report.confirmation.proxies if proxy.ms is None]
    if behind and not report.confirmation.enough:
        yield Table(("proxy", "state", "epoch"), tuple(map(_row, behind)))


def _moved(moved: Moved, epoch: int) -> Line:
    what = f"{moved.model} {moved.label}: "
    if moved.previous == moved.id:
        return line(what, strong(short(moved.id, moved.model)), " was pinned already")
    before, after = short(moved.previous, moved.model), short(moved.id, moved.model)
    return line(what, before, " → ", strong(after), dim(f"  epoch {epoch}"))


def _confirmed(confirmation: Confirmation) -> Line:
    count, of = confirmation.confirmed, len(confirmation.proxies)
    if of == 0:
        return line(dim("no proxy is live; those that start will serve it"))
    text = f"{count} of {of} proxies confirmed in {confirmation.elapsed_ms:g} ms"
    if of > 1 and (slowest := confirmation.slowest) is not None:
        text += f" (slowest {slowest.name} {slowest.ms:g} ms)"
    return line(good(text) if count == of else warning(text))


def _row(proxy: Proxy) -> tuple[Cell, ...]:
    return (proxy.name, bad(proxy.state), str(proxy.epoch))
