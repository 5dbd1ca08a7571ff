"""Ask a target once of each kind, and show what went in and came out at both ends."""

from __future__ import annotations

from collections.abc import Sequence

from bench import ask
from bench.plan import Plan
from bench.targets import Spec, Target, complaint
from bench.vendor import Vendor


def check(plan: Plan, specs: Sequence[Spec]) -> None:
    for spec in specs:
        with Vendor(plan) as vendor, Target(plan, spec, vendor.url) as target:
            print(f"== {spec.name}, {target.startup_s:.2f} s to its first answer")
            _show(target, vendor)
            if spec.log_event:
                print("-- its log:\n" + target.log().decode(errors="replace")[-3000:])


def _show(target: Target, vendor: Vendor) -> None:
    answer = target.ask()
    print(answer.status, answer.headers, answer.body[:300].decode(), sep="\n")
    print("-- the vendor saw:\n" + vendor.last()[:2000].decode())
    print("-- complaint:", complaint(target.spec, answer, vendor.last_body()) or "none")
    streamed = target.ask(stream=True)
    print("-- stream:", streamed.status, streamed.headers)
    print(streamed.body[:300].decode(), "...", streamed.body[-300:].decode())
    large = target.ask(large_bytes=ask.LARGE_BYTES)
    print("-- 1 MB:", large.status, len(vendor.last()), "bytes reached the vendor")
