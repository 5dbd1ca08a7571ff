"""The picture of the architecture, and the tests that keep the code like it.

Imports point one way: a layer may import itself and the ones above it, never one below.
"""

import ast
import re
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

LAYERS = {
    "vocabulary": {"errors", "events", "locate"},
    "pure": {"versions", "evals", "complaints", "dialects", "routing", "settings"},
    "ports": {"store", "fleet", "http", "observe"},
    "use cases": {"gateway", "control"},
    "entry points": {
        *("admin", "assemble", "cli", "reload", "running", "serve", "settings_file", "signals"),
        *("simvendor", "workers", "__main__"),
    },
}
RANK = {part: rank for rank, parts in enumerate(LAYERS.values()) for part in parts}
PURE = LAYERS["vocabulary"] | LAYERS["pure"]

# Ports know nothing of one another; the one that joins two of them says so here.
PORTS_BESIDE = {"fleet": {"store"}}

# What reads, writes, waits, draws random numbers or looks at a clock.
IO_PACKAGES = {
    *("aiohttp", "asyncio", "click", "concurrent", "fcntl", "http", "httptools", "io", "logging"),
    *("multiprocessing", "os", "random", "redis", "rich", "secrets", "select", "selectors"),
    *("shutil", "signal", "socket", "sqlite3", "ssl", "structlog", "subprocess", "sys"),
    *("tempfile", "threading", "time", "uvloop"),
}
IO_CALLS = {"open", "print", "input", "read_text", "read_bytes", "write_text", "write_bytes"}

FILES = sorted((ROOT / "proxy").rglob("*.py"))
MODULES = {
    ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file
    for file in FILES
}
OURS = sorted(MODULES.keys() - {"proxy"})


def part_of(module):
    return module.split(".")[1]


@cache
def tree_of(module):
    return ast.parse(MODULES[module].read_text())


def imports_of(module):
    """Yield every module that `module` imports, wherever the import stands."""
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: imports are absolute"
            yield from (full_name(node.module, alias.name) for alias in node.names)


def full_name(package, name):
    """Return the module that `from package import name` means."""
    whole = f"{package}.{name}"
    return whole if whole in MODULES else package


def ours(module):
    return {name for name in imports_of(module) if name in MODULES and name != "proxy"}


def test_every_module_has_its_place_in_the_picture():
    assert {part_of(module) for module in OURS} <= RANK.keys()


def test_the_docstring_of_a_package_names_each_of_its_modules():
    unnamed = {
        f"proxy/{package.parent.name}/__init__.py": missing
        for package in (ROOT / "proxy").glob("*/__init__.py")
        if (missing := not_named(package))
    }

    assert unnamed == {}


def not_named(package):
    named = set(re.findall(r"`(\w+)`", ast.get_docstring(ast.parse(package.read_text())) or ""))
    modules = {file.stem for file in package.parent.glob("*.py")}
    return sorted(modules - named - {"__init__", "__main__"})


@pytest.mark.parametrize("module", OURS)
def test_no_layer_imports_a_later_one(module):
    mine = RANK[part_of(module)]

    assert [name for name in ours(module) if RANK[part_of(name)] > mine] == []


@pytest.mark.parametrize("module", [m for m in OURS if part_of(m) in PURE])
def test_pure_modules_do_no_io(module):
    roots = {name.split(".")[0] for name in imports_of(module)}
    called = {
        getattr(node.func, "id", getattr(node.func, "attr", ""))
        for node in ast.walk(tree_of(module))
        if isinstance(node, ast.Call)
    }

    assert roots & IO_PACKAGES == set()
    assert called & IO_CALLS == set()


@pytest.mark.parametrize("module", [m for m in OURS if part_of(m) in LAYERS["ports"]])
def test_ports_know_nothing_of_one_another(module):
    mine = part_of(module)
    beside = {part_of(name) for name in ours(module)} & LAYERS["ports"]

    assert beside <= {mine} | PORTS_BESIDE.get(mine, set())


def test_nothing_serves_the_simulated_vendor_but_commands_that_say_so():
    users = {
        module
        for module in OURS
        if part_of(module) != "simvendor"
        and any(part_of(name) == "simvendor" for name in ours(module))
    }

    assert users <= {"proxy.cli.simulation"}


def test_the_simulated_vendor_shares_nothing_with_what_it_stands_in_for():
    shared = {
        name
        for module in OURS
        if part_of(module) == "simvendor"
        for name in ours(module)
        if part_of(name) != "simvendor"
    }

    assert shared == set()


def test_no_modules_import_one_another_in_a_circle():
    graph = {module: ours(module) - only_for_types(module) - {module} for module in OURS}

    assert circle_in(graph) == []


def test_no_packages_import_one_another_in_a_circle():
    graph = {part: set() for part in RANK}
    for module in OURS:
        mine = part_of(module)
        graph[mine] |= {part_of(name) for name in ours(module)} - {mine}

    assert circle_in(graph) == []


def only_for_types(module):
    """Return what is imported under `if TYPE_CHECKING`: never at run time."""
    guards = [
        node
        for node in ast.walk(tree_of(module))
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]
    return {
        full_name(node.module, alias.name)
        for guard in guards
        for node in ast.walk(guard)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


# What `python -m proxy` imports, some of it only when it is needed.
SERVING = (
    *("proxy.__main__", "proxy.cli.serve", "proxy.serve", "proxy.workers.supervisor"),
    *("proxy.admin.app", "proxy.admin.runner", "proxy.store.redis", "proxy.store.redis_url"),
    "proxy.store.sqlite",
)


def at_import(module):
    """Return what is imported along with `module`."""
    return {
        full_name(node.module, alias.name) if isinstance(node, ast.ImportFrom) else alias.name
        for node in tree_of(module).body
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }


def test_a_proxy_that_serves_carries_nothing_of_what_only_commands_do():
    seen, waiting = set(), set(SERVING)
    while waiting:
        name = waiting.pop()
        seen.add(name)
        waiting |= (at_import(name) if name in MODULES else set()) - seen
    parts = {part_of(name) for name in seen if name in MODULES and name != "proxy"}
    packages = {name.split(".")[0] for name in seen}

    assert set(SERVING) <= MODULES.keys()
    assert parts.isdisjoint({"control", "evals", "simvendor"})
    # structlog would bring rich along: `observe/logs.py` imports it with care.
    assert packages.isdisjoint({"rich", "structlog", "jsonschema"})


def circle_in(graph):
    """Return what cannot be imported in any order: circles, and what needs them; sorted."""
    left = dict(graph)
    while done := {module for module, names in left.items() if not names & left.keys()}:
        left = {module: names for module, names in left.items() if module not in done}
    return sorted(left)


def test_a_circle_would_be_found():
    assert circle_in({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": set()}) == ["a", "b", "c"]


def test_an_import_against_the_arrows_would_be_found():
    ranks = [RANK[part] for part in ("errors", "versions", "store", "gateway", "cli")]

    assert all(earlier < later for earlier, later in pairwise(ranks))
