"""The benchmark's command line: run, fleet, outage, coldstart, report, check, profile, micro."""

from __future__ import annotations

import argparse
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from bench import coldstart, fleet, micro, outage, report, run
from bench.check import check
from bench.measure import MODES
from bench.plan import Plan
from bench.profile import SAMPLERS, profile
from bench.targets import choose

ROOT = Path(__file__).parent.parent

Verbs: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def main() -> None:
    arguments = _parser().parse_args()
    # So that target and vendor are stopped too; a run in the background ignores Ctrl-C.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _interrupt)
    arguments.act(arguments)


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    measuring = verbs.add_parser("run", help="measure, append to a results file, show the tables")
    _add_plan(measuring)
    measuring.add_argument("--rounds", type=int, default=3)
    measuring.add_argument("--modes", default=",".join(MODES), help="default: %(default)s")
    _add_out(measuring, "results")
    measuring.set_defaults(act=_run)

    _add_fleet(verbs)
    _add_away(verbs)

    showing = verbs.add_parser("report", help="show results files as Markdown tables")
    showing.add_argument("files", type=Path, nargs="+")
    showing.add_argument("--write", type=Path, help="put the tables into this document")
    showing.set_defaults(act=_report)

    checking = verbs.add_parser("check", help="one request of each kind, shown at both ends")
    _add_plan(checking)
    checking.set_defaults(act=lambda a: check(_plan(a), choose(a.only)))

    sampling = verbs.add_parser("profile", help="sample where a target's time goes (py-spy, perf)")
    _add_plan(sampling)
    sampling.add_argument("--mode", choices=["small", "stream", "large"], default="small")
    sampling.add_argument("--seconds", type=int, default=10)
    sampling.add_argument("--by", choices=list(SAMPLERS), default="function")
    sampling.set_defaults(act=_profile)

    alone = verbs.add_parser("micro", help="CPU time in one process, without the kernel")
    alone.add_argument("--only", type=lambda text: text.split(","), default=[])
    alone.add_argument("--times", type=int, default=100)
    alone.set_defaults(act=lambda a: micro.run(a.only, a.times))
    return parser


def _add_fleet(verbs: Verbs) -> None:
    pinning = verbs.add_parser(
        "fleet", help="pins on a fleet: time to be confirmed by all, CPU time"
    )
    pinning.add_argument("--proxies", type=_sizes, default=(1, 10, 50), help="real ones: 1,10,50")
    pinning.add_argument("--watchers", type=_sizes, default=(1, 10, 50, 200), help="simulated ones")
    pinning.add_argument("--pins", type=int, default=200)
    pinning.add_argument("--commands", type=int, default=10, help="runs of proxyctl pin")
    pinning.add_argument("--rounds", type=int, default=1)
    pinning.add_argument(
        "--gap-s", type=float, default=fleet.GAP_S, help="mean pause between two pins"
    )
    _add_out(pinning, "fleet")
    pinning.set_defaults(act=_fleet)


def _add_away(verbs: Verbs) -> None:
    failing = verbs.add_parser("outage", help="requests while the store is away")
    _add_run(failing)
    failing.add_argument("--seconds", type=float, default=60, help="how long it is, each time")
    failing.add_argument(
        "--again", type=int, default=9, help="more times, for seconds, for recovery"
    )
    failing.add_argument("--rounds", type=int, default=1)
    _add_out(failing, "outage")
    failing.set_defaults(act=_outage)

    starting = verbs.add_parser("coldstart", help="start to first answer, with and without store")
    _add_run(starting)
    starting.add_argument("--starts", type=int, default=5, help="of each kind")
    _add_out(starting, "coldstart")
    starting.set_defaults(act=_coldstart)


def _add_out(parser: argparse.ArgumentParser, name: str) -> None:
    parser.add_argument("--out", type=Path, default=ROOT / ".bench" / f"{name}.jsonl")
    parser.add_argument("--append", action="store_true", help="keep what --out holds")


def _sizes(text: str) -> tuple[int, ...]:
    """Read `1,10,50`; empty: none."""
    return tuple(int(part) for part in text.split(",") if part)


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--nice", type=int, default=0, help="of all that runs, such as -10 (root)")


def _add_plan(parser: argparse.ArgumentParser) -> None:
    peers = os.environ.get("BENCH_PEERS_HOME", str(ROOT / ".bench" / "peers"))
    _add_run(parser)
    parser.add_argument("--only", type=lambda text: text.split(","), default=[])
    parser.add_argument("--peers-home", type=Path, default=Path(peers))
    parser.add_argument("--quick", action="store_true", help="short runs, for a first look")
    parser.add_argument("--quiet-s", type=float, default=15, help="longest wait for a quiet second")
    parser.add_argument("--keep", action="store_true", help="keep the targets' work folders")


def _plan(arguments: argparse.Namespace) -> Plan:
    plan = Plan(
        work=ROOT / ".bench",
        peers=arguments.peers_home.resolve(),
        nice=arguments.nice,
        quiet_s=arguments.quiet_s,
        keep=arguments.keep,
    )
    if arguments.quick:
        return replace(plan, warm_s=1, small_s=3, latency_s=2, large_s=2, stream_s=3)
    return plan


def _run(arguments: argparse.Namespace) -> None:
    run.run(
        _plan(arguments),
        choose(arguments.only),
        arguments.modes.split(","),
        arguments.rounds,
        _begun(arguments),
    )
    print(report.render(report.read([arguments.out])))


def _fleet(arguments: argparse.Namespace) -> None:
    plan = fleet.FleetPlan(
        arguments.proxies,
        arguments.watchers,
        arguments.pins,
        arguments.rounds,
        arguments.commands,
        arguments.gap_s,
    )
    fleet.run(plan, _begun(arguments))
    print(report.render(report.read([arguments.out])))


def _outage(arguments: argparse.Namespace) -> None:
    plan = Plan(work=ROOT / ".bench", peers=ROOT, nice=arguments.nice)
    stay = outage.Stay(arguments.seconds, arguments.again, arguments.rounds)
    outage.run(plan, stay, _begun(arguments))
    print(report.render(report.read([arguments.out])))


def _coldstart(arguments: argparse.Namespace) -> None:
    plan = Plan(work=ROOT / ".bench", peers=ROOT, nice=arguments.nice)
    coldstart.run(plan, arguments.starts, _begun(arguments))
    print(report.render(report.read([arguments.out])))


def _begun(arguments: argparse.Namespace) -> Path:
    """Return the results file, without what it held unless that is to be kept."""
    out: Path = arguments.out
    if not arguments.append:
        out.unlink(missing_ok=True)
    return out


def _profile(arguments: argparse.Namespace) -> None:
    spec = choose(arguments.only or ["proxy"])[0]
    profile(_plan(arguments), spec, arguments.mode, arguments.seconds, arguments.by)


def _report(arguments: argparse.Namespace) -> None:
    found = report.read(arguments.files)
    if arguments.write:
        arguments.write.write_text(report.written(arguments.write.read_text(), found))
    else:
        print(report.render(found))


if __name__ == "__main__":
    main()
