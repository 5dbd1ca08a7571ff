"""The benchmark's command line: run, report, check, profile."""

from __future__ import annotations

import argparse
import os
import signal
from dataclasses import replace
from pathlib import Path

from bench import report, run
from bench.check import check
from bench.measure import MODES
from bench.plan import Plan
from bench.profile import SAMPLERS, profile
from bench.targets import choose

ROOT = Path(__file__).parent.parent


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
    measuring.add_argument("--out", type=Path, default=ROOT / ".bench" / "results.jsonl")
    measuring.add_argument("--append", action="store_true", help="keep what --out holds")
    measuring.set_defaults(act=_run)

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
    return parser


def _add_plan(parser: argparse.ArgumentParser) -> None:
    peers = os.environ.get("BENCH_PEERS_HOME", str(ROOT / ".bench" / "peers"))
    parser.add_argument("--only", type=lambda text: text.split(","), default=[])
    parser.add_argument("--peers-home", type=Path, default=Path(peers))
    parser.add_argument("--nice", type=int, default=0, help="of all that runs, such as -10 (root)")
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
    if not arguments.append:
        arguments.out.unlink(missing_ok=True)
    run.run(
        _plan(arguments),
        choose(arguments.only),
        arguments.modes.split(","),
        arguments.rounds,
        arguments.out,
    )
    print(report.render(report.read([arguments.out])))


def _profile(arguments: argparse.Namespace) -> None:
    spec = choose(arguments.only or ["proxy"])[0]
    profile(_plan(arguments), spec, arguments.mode, arguments.seconds, arguments.by)


def _report(arguments: argparse.Namespace) -> None:
    text = report.render(report.read(arguments.files))
    if arguments.write:
        arguments.write.write_text(report.placed(arguments.write.read_text(), text))
    else:
        print(text)


if __name__ == "__main__":
    main()
