"""Valid histories, drawn: a fleet that keeps every promise, played in one go without any process.

Each step takes ten seconds, but for a kill that comes right after a switch: then the file has no
time to be written, and the process that is started while the store is away serves what it finds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from hypothesis import strategies as st

from tests.history.known import SAVED_WITHIN_S
from tests.history.made import FLIP, Made, answer, id_of, pin, version
from tests.history.record import Asked, ByHand, Counted, Lived

STEP_S = 10.0
# Right after a command was answered, which takes half a second here.
AT_ONCE_S = 0.6
PROXIES = ("web-1", "web-2")
VERSIONS = 4

ACTS = (
    "pin",
    "ask",
    "kill at once",
    "kill",
    "start",
    "store away",
    "store back",
    "by hand",
    "spoil",
)

scripts = st.lists(
    st.tuples(st.sampled_from(ACTS), st.sampled_from(PROXIES), st.integers(1, VERSIONS)),
    min_size=1,
    max_size=40,
)

Pin = tuple[int, int]
"""An epoch and a number."""


@dataclass
class _Process:
    life: int
    spawned_s: float
    holds: Pin
    found_s: list[float] = field(default_factory=list)
    switched_s: float = 0.0


@dataclass
class Fleet:
    """The truth, and the facts about it. `pinned` is what the store holds, None: it is spoiled."""

    made: Made = field(default_factory=Made)
    now_s: float = 100.0
    pinned: Pin | None = (1, 1)
    last: Pin = (1, 1)
    away: bool = False
    requests: int = 0
    running: dict[str, _Process] = field(default_factory=dict)
    saved: dict[str, Pin] = field(default_factory=dict)
    lives: dict[str, int] = field(default_factory=dict)

    def play(self, script: Sequence[tuple[str, str, int]]) -> Made:
        self._begin()
        for act, proxy, number in script:
            self.now_s += AT_ONCE_S if act == "kill at once" else STEP_S
            if not self.away:
                self._follow()
                self._change(act, number)
            self._disturb(act, proxy)
            if act == "ask":
                self._ask(proxy)
        for proxy, process in self.running.items():
            self._end(proxy, process, None)
        return self.made

    def _begin(self) -> None:
        facts = [fact for number in range(1, VERSIONS + 1) for fact in version("flip", number)]
        self.made.add(*facts, Counted("flip", *(5 * [VERSIONS])))
        self.made.add(*pin(1, 1.0, (FLIP, 1, None), confirmed=()))
        for proxy in PROXIES:
            self.saved[proxy] = (1, 1)
            self._start(proxy)

    def _change(self, act: str, number: int) -> None:
        """Do what needs the store."""
        match act:
            case "pin":
                self._pin(number)
            case "by hand":
                self._by_hand(number)
            case "spoil":
                self.made.add(ByHand(FLIP, 0, "", False, True, self.now_s, self.now_s + 0.1))
                self.pinned = None

    def _disturb(self, act: str, proxy: str) -> None:
        match act:
            case "kill" | "kill at once" if proxy in self.running:
                self._kill(proxy)
            case "start" if proxy not in self.running:
                self._start(proxy)
            case "store away" | "store back":
                self._turn(away=act == "store away")

    def _pin(self, number: int) -> None:
        previous = self.pinned[1] if self.pinned is not None else None
        if previous == number:
            return
        epoch = self.last[0] + 1
        self.made.add(*pin(epoch, self.now_s, (FLIP, number, previous), confirmed=(*self.running,)))
        self._switch((epoch, number))

    def _by_hand(self, number: int) -> None:
        epoch, id = self.last[0] + 1000, id_of("flip", number)
        self.made.add(ByHand(FLIP, epoch, id, True, False, self.now_s, self.now_s + 0.1))
        self._switch((epoch, number))

    def _switch(self, new: Pin) -> None:
        self.pinned = self.last = new
        self._follow()

    def _follow(self) -> None:
        for proxy, process in self.running.items():
            if self.now_s - process.switched_s >= SAVED_WITHIN_S:
                self.saved[proxy] = process.holds
            if self.pinned is not None and self.pinned != process.holds:
                process.holds, process.switched_s = self.pinned, self.now_s

    def _ask(self, proxy: str) -> None:
        self.requests += 1
        name = f"ask-{self.requests}"
        process = self.running.get(proxy)
        if process is None:
            error = Asked(name, proxy, self.now_s, self.now_s, key=FLIP, error="refused")
            self.made.add(error)
            return
        epoch, number = process.holds
        facts = answer(name, self.now_s, FLIP, number, epoch, life=process.life, proxy=proxy)
        self.made.add(*facts)

    def _kill(self, proxy: str) -> None:
        process = self.running.pop(proxy)
        if self.now_s - process.switched_s >= SAVED_WITHIN_S:
            self.saved[proxy] = process.holds
        self._end(proxy, process, self.now_s)

    def _start(self, proxy: str) -> None:
        self.lives[proxy] = self.lives.get(proxy, 0) + 1
        process = _Process(self.lives[proxy], self.now_s, self.saved[proxy])
        self.running[proxy] = process
        if not self.away:
            self._meet(process)

    def _turn(self, *, away: bool) -> None:
        if self.away and not away:
            for process in self.running.values():
                self._meet(process)
        self.away = away

    def _meet(self, process: _Process) -> None:
        process.found_s.append(self.now_s)
        if self.pinned is not None and self.pinned != process.holds:
            process.holds, process.switched_s = self.pinned, self.now_s

    def _end(self, proxy: str, process: _Process, ended_s: float | None) -> None:
        self.made.add(
            Lived(
                proxy,
                process.life,
                process.spawned_s,
                process.spawned_s,
                tuple(process.found_s),
                ended_s,
                "kill" if ended_s is not None else "",
            )
        )
