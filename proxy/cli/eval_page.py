"""Results for people: one table of cases, worst first, and what it comes to."""

from __future__ import annotations

import math
from collections.abc import Iterator

from proxy.cli.page import (
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
from proxy.control.evaluate import EvalReport
from proxy.control.gate import GateReport
from proxy.control.standing import Standing
from proxy.evals.compare import CaseChange, Change, Comparison
from proxy.evals.judge import Refused
from proxy.evals.power import TELLING, Power
from proxy.evals.suite import MAX_REPEATS
from proxy.evals.summary import interval
from proxy.versions.evidence import CaseResult, Result
from proxy.versions.record import PROD

SIMULATED = "answered by the simulated vendor: this proves nothing about a real one"


def page(report: EvalReport) -> Iterator[Block]:
    """Return what `eval` says: the cases, the score, prod beside it, the gate, what to do next."""
    result, stands = report.result, report.standing
    yield line(strong(report.subject.name), dim(f"  {report.subject.digest[:19]}…"))
    yield from _about(report)
    yield line()
    yield cases_table(result, stands.comparison)
    yield line()
    yield from verdict(result, stands)
    yield from gate_lines(report.gate)
    if report.baseline is not None:
        text = f"{report.baseline.name} was evaluated beside, since the gate compares with it"
        yield line(dim(text))
    yield from _next(report)


def gate_lines(gate: GateReport) -> Iterator[Line]:
    """Say what became of the gate in force, and what that means for results there are."""
    if gate.changed:
        yield line(_label(""), "what evals.toml asks for is in force now")
    elif gate.pending:
        yield line(_label(""), f"by evals.toml; in force with proxyctl register {gate.model}")
    elif gate.looser:
        yield line(_label(""), dim(f"evals.toml asks for less; proxyctl gate {gate.model}"))
    if gate.left is not None:
        then = "no longer counts" if gate.changed else "would no longer count"
        text = f"its cases are not those of the suite before: what was evaluated in that {then}"
        yield line(_label(""), warning(text))


def _about(report: EvalReport) -> Iterator[Line]:
    result = report.result
    answers = sum(len(case.scores) for case in result.cases)
    seconds = (result.elapsed_ms or 0.0) / 1000
    facts = f"{_count(len(result.cases), 'case')}, {_count(answers, 'answer')} in {seconds:.1f} s"
    yield line(f"{facts}{_tokens(result)}, suite {result.suite[:19]}… from the files here")
    if report.earlier is not None:
        before = report.earlier.suite[:19]
        yield line(warning(f"evaluated in another suite so far, {before}…: not to be compared"))
    if report.known:
        yield line(dim(f"kept since {result.at}; nothing was asked"))
    if report.resumed:
        yield line(dim(f"{_count(report.resumed, 'answer')} were there from a run before"))
    if result.simulated:
        yield line(warning(SIMULATED))
    if not report.stored:
        yield line(dim("nothing was stored"))


def _tokens(result: Result) -> str:
    if result.input_tokens is None and result.output_tokens is None:
        return ""
    return f", {result.input_tokens or 0} tokens in, {result.output_tokens or 0} out"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' if number != 1 else ''}"


def cases_table(result: Result, comparison: Comparison | None = None) -> Table:
    """Return a row for each case: worst first, or what changed most against `comparison`."""
    if comparison is not None:
        return compared_table(comparison, PROD, "now")
    rows = sorted(result.cases, key=lambda case: case.score)
    return Table(
        ("case", "score", "what failed"),
        tuple((case.name, _score(case.score), _failed(case)) for case in rows),
    )


def compared_table(comparison: Comparison, before: str, after: str) -> Table:
    """Return a row for each case of two results, what got worse first."""
    errors = {case.name: case.error for case in comparison.after.cases}
    return Table(
        ("case", before, after, "change", "what failed"),
        tuple(
            (
                case.name,
                _score(case.before),
                _score(case.after),
                _change(case),
                "; ".join(case.failed) or errors.get(case.name, ""),
            )
            for case in comparison.cases
        ),
    )


def _failed(case: CaseResult) -> str:
    return "; ".join(case.failed) or case.error


def _score(score: float | None) -> Cell:
    if score is None:
        return dim("–")
    text = f"{score:.2f}"
    return good(text) if score == 1 else bad(text) if score == 0 else warning(text)


def _change(case: CaseChange) -> Cell:
    if case.change is Change.SAME:
        return ""
    if not case.certain:
        return dim(f"{case.change}, within noise")
    styles = {Change.BETTER: good, Change.WORSE: bad}
    return styles.get(case.change, warning)(str(case.change))


def overall(comparison: Comparison) -> Line:
    """Say in a line how the second result differs from the first."""
    low, high = comparison.interval
    between = f"  {low:+.3f} to {high:+.3f}"
    step = comparison.difference
    if not comparison.certain:
        return line(_label("difference"), f"{step:+.3f}", dim(f"{between}, within noise"))
    return line(_label("difference"), (good if step > 0 else bad)(f"{step:+.3f}"), dim(between))


def _label(text: str) -> str:
    return f"{text:<12}"


def score_line(label: str, result: Result, note: str = "") -> Line:
    """Say in a line what a result scores, and how sure that is."""
    low, high = interval(result)
    between = dim(f"  {low:.3f} to {high:.3f}{note}")
    return line(_label(label), strong(f"{result.score:.3f}"), between)


def verdict(result: Result, stands: Standing, *, gated: bool = False) -> Iterator[Block]:
    """Say how a result stands: beside prod, and before the gate; `gated` if there is one, be it
    about another suite."""
    yield score_line("score", result)
    if stands.comparison is not None and stands.prod is not None:
        held = short(stands.prod.id, stands.prod.model)
        yield score_line(PROD, stands.comparison.before, f", {held}")
        yield overall(stands.comparison)
    if stands.power is not None:
        yield _sees(stands.power)
    if stands.gate is None:
        none = "asks for another suite, so this does not count" if gated else "none"
        yield line(_label("gate"), dim(none))
    elif isinstance(stands.judged, Refused):
        yield line(_label("gate"), bad("would not pass"))
        yield from (line(_label(""), reason.text) for reason in stands.judged.reasons)
    else:
        yield line(_label("gate"), good("would pass"))


def _sees(power: Power) -> Line:
    """Say what the comparison is good for, and what would make it better."""
    if not math.isfinite(power.sees) or power.sees >= 1:
        seen = "no loss can be told from chance"
    else:
        seen = f"losses from {_up(power.sees):.2f} on are caught, four times in five"
    if power.repeats is None:
        return line(_label("sees"), seen)
    if power.repeats > MAX_REPEATS:
        more = "more cases"
    else:
        more = f"--repeats {power.repeats} here and for prod"
    return line(_label("sees"), warning(seen), f"; from {TELLING:g} on with {more}")


def _up(share: float) -> float:
    return math.ceil(share * 100 - 1e-9) / 100


def _next(report: EvalReport) -> Iterator[Line]:
    subject, stands = report.subject, report.standing
    if not report.stored or (stands.prod is not None and stands.prod.digest == subject.digest):
        return
    if stands.passes:
        todo = subject.info is None or report.gate.pending
        first = f"proxyctl register {subject.model}, then " if todo else ""
        number = f"v{subject.info.number}" if subject.info is not None else "vN"
        yield line(_label("next"), f"{first}proxyctl pin {subject.model} {number}")
