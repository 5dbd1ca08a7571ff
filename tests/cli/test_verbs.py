"""Each verb: what it answers, with which exit status, and what it says when it refuses."""

import json

import pytest

from proxy.cli.main import VERBS
from proxy.versions.record import Member
from tests.control.shop import corrupt


def test_register_answers_with_the_version(ctl):
    first = ctl.ok("register", "recommender")

    assert first.keys() == {"id", "version", "digest", "created", "parent"}
    assert first["id"] == f"recommender-v1-{first['digest'][7:13]}"
    assert (first["version"], first["created"], first["parent"]) == (1, True, None)


def test_registering_again_answers_with_the_same_version(ctl):
    first = ctl.ok("register", "recommender")

    assert ctl.ok("register", "recommender") == {**first, "created": False}


def test_several_models_answer_with_a_list(ctl):
    for arguments in (["--all"], ["recommender", "other"]):
        (ctl.directory / "config/models/other").mkdir(exist_ok=True)
        for name in ("version.toml", "system.md"):
            text = (ctl.model / name).read_text()
            (ctl.directory / "config/models/other" / name).write_text(text)

        answer = ctl.ok("register", *arguments)

        assert [one["id"].rsplit("-v")[0] for one in answer["versions"]] == ["other", "recommender"]


def test_register_all_of_one_model_is_a_list_too(ctl):
    assert len(ctl.ok("register", "--all")["versions"]) == 1


def test_register_refuses_wrong_files_with_every_problem(ctl):
    (ctl.model / "system.md").write_text("Hello\n{{nobody}}")
    (ctl.model / "tools.json").write_text("[}")

    ran = ctl("register", "recommender", "--json")

    assert ran.status == 1
    assert ran.err == (
        "proxyctl: 2 problems [invalid_files]\n"
        "  config/models/recommender/system.md:2: {{nobody}} is used but not declared under "
        "[variables.nobody]\n"
        "  config/models/recommender/tools.json:1: is not valid JSON: Expecting value\n"
    )
    assert [problem["line"] for problem in ran.json["error"]["problems"]] == [2, 1]


def test_wrong_files_of_one_model_keep_all_from_being_registered(ctl):
    (ctl.directory / "config/models/bad").mkdir()
    (ctl.directory / "config/models/bad/version.toml").write_text("")

    assert ctl("register", "--all").status == 1
    assert ctl.ok("versions") == {"models": []}


def test_register_warns_of_what_is_probably_a_mistake(ctl):
    (ctl.model / "sytem.md").write_text("typo")
    text = (ctl.model / "version.toml").read_text()
    (ctl.model / "version.toml").write_text(text.replace('"openai"', '"openia"'))

    ran = ctl("register", "recommender")

    assert ran.status == 0
    assert ran.err == (
        "warning: config/models/recommender/sytem.md is no source file and was left out\n"
        "warning: recommender: vendor openia is not in this configuration\n"
    )


def test_register_takes_what_looks_like_a_credential_only_when_told(ctl):
    (ctl.model / "system.md").write_text("sk-" + "a1" * 20)

    refused = ctl("register", "recommender")

    assert refused.status == 1
    assert "--allow-secrets" in refused.err
    assert ctl("register", "recommender", "--allow-secrets").status == 0


@pytest.mark.parametrize("arguments", [[], ["recommender", "--all"]])
def test_register_wants_names_or_all(ctl, arguments):
    assert ctl("register", *arguments).status == 2


def test_pin_answers_with_what_moved_and_who_confirmed(ctl):
    version = ctl.change("one")

    answer = ctl.ok("pin", "recommender", "v1", "--op-id", "my-operation")

    assert answer == {
        "model": "recommender",
        "label": "prod",
        "from": None,
        "to": version,
        "epoch": 1,
        "confirmed": 0,
        "of": 0,
        "elapsed_ms": 0.0,
        "proxies": [],
        "prepared": {
            "ready": 0,
            "rejected": [],
            "warnings": [],
            "silent": [],
            "elapsed_ms": 0.0,
        },
        "operation": "my-operation",
        "replayed": False,
    }


def test_pin_of_several_models_answers_with_changes(ctl):
    ctl.change("one")
    other = ctl.directory / "config/models/ranker"
    other.mkdir()
    (other / "version.toml").write_text('[model]\nvendor = "openai"\nid = "gpt-4o"\n')
    ctl.ok("register", "ranker")

    answer = ctl.ok("pin", "recommender", "v1", "ranker", "v1")

    assert [one["model"] for one in answer["changes"]] == ["recommender", "ranker"]
    assert answer["epoch"] == 1


def test_pin_is_refused_with_code_hint_and_current_state(ctl):
    first, _ = ctl.versions(2)

    ran = ctl("pin", "recommender", "v1", "--expect", "v1", "--json")

    assert ran.status == 1
    assert ran.err.startswith("proxyctl: recommender prod holds recommender-v2-")
    assert "[conflict]\nhint: " in ran.err
    assert ran.json["error"]["code"] == "conflict"
    assert ran.json["error"]["current"] == ctl.held() != first


def test_pin_that_is_not_confirmed_in_time_exits_with_3_and_names_who_has_not(ctl):
    ctl.change("one")
    ctl.with_store(lambda store: store.report(Member("web-1", 0, {})))

    ran = ctl("pin", "recommender", "v1", "--timeout", "0.02")

    assert ran.status == 3
    assert "web-1" in ran.out
    assert "behind" in ran.out
    assert ctl.held() is not None


def test_pin_without_waiting_exits_with_0(ctl):
    ctl.change("one")
    ctl.with_store(lambda store: store.report(Member("web-1", 0, {})))

    answer = ctl.ok("pin", "recommender", "v1", "--no-wait")

    assert (answer["confirmed"], answer["of"]) == (0, 1)


@pytest.mark.parametrize(
    "arguments",
    [
        ["recommender"],
        ["recommender", "v1", "ranker"],
        ["recommender", "v1", "--no-wait", "--timeout", "3"],
        ["recommender", "v1", "--require", "most"],
        ["recommender", "v1", "--timeout", "-1"],
        ["recommender", "v1", "--timeout", "nan"],
        ["recommender", "v1", "--unknown"],
    ],
)
def test_pin_used_wrongly_exits_with_2(ctl, arguments):
    ran = ctl("pin", *arguments)

    assert ran.status == 2
    assert ran.out == ""
    assert ran.err.startswith("proxyctl: ")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["pin", "recommender", "v9"], "unknown_version"),
        (["pin", "nobody", "v1"], "unknown_model"),
        (["pin", "recommender", "v1", "--label", "v1"], "invalid_argument"),
        (["pin", "recommender", "v1", "--force"], "reason_required"),
        (["rollback", "recommender"], "no_rollback_target"),
        (["rollback", "nobody"], "unknown_model"),
        (["undo", "recommender"], "nothing_to_undo"),
        (["history", "nobody"], "unknown_model"),
        (["status", "nobody"], "unknown_model"),
        (["freeze", "nobody"], "unknown_model"),
        (["show", "recommender", "v9"], "unknown_version"),
        (["diff", "recommender", "v1", "v9"], "unknown_version"),
        (["render", "recommender", "v1", "--dialect", "none"], "invalid_argument"),
        (["checkout", "recommender", "v9"], "unknown_version"),
        (["register", "nobody"], "unknown_model"),
        (["versions", "nobody"], "unknown_model"),
    ],
)
def test_what_is_refused_exits_with_1_and_a_code(ctl, arguments, code):
    ctl.change("one")

    ran = ctl(*arguments, "--json")

    assert ran.status == 1
    assert f"[{code}]" in ran.err
    assert ran.json["error"]["code"] == code


def test_a_corrupt_version_is_neither_shown_nor_pinned(ctl):
    ctl.change("one")
    corrupt(ctl.directory / ".proxy/store.db", b"one", b"two")

    for arguments in (["show", "recommender", "v1"], ["pin", "recommender", "v1"]):
        ran = ctl(*arguments)

        assert ran.status == 1
        assert "[version_corrupt]" in ran.err


def test_rollback_goes_back_and_revokes(ctl):
    first, second = ctl.versions(2)

    answer = ctl.ok("rollback", "recommender", "--reason", "cold")

    assert (answer["from"], answer["to"]) == (second, first)
    refused = ctl("pin", "recommender", "v2")
    assert "[revoked]" in refused.err


def test_rollback_to_a_named_version(ctl):
    first, *_ = ctl.versions(3)

    assert ctl.ok("rollback", "recommender", "--to", "v1")["to"] == first


def test_undo_takes_a_rollback_back(ctl):
    _, second = ctl.versions(2)
    ctl.ok("rollback", "recommender")

    assert ctl.ok("undo", "recommender")["to"] == second
    assert ctl.ok("versions", "recommender")["versions"][0]["revoked"] is False


def test_history_answers_with_who_when_and_why(ctl):
    first, second = ctl.versions(2)
    ctl.ok("rollback", "recommender", "--reason", "cold", "--as", "ada@desk")

    answer = ctl.ok("history", "recommender", "--limit", "1")

    (pin,) = answer["pins"]
    assert answer["model"] == "recommender"
    assert (pin["from"], pin["to"], pin["kind"]) == (second, first, "rollback")
    assert (pin["by"], pin["reason"], pin["revoked"]) == ("ada@desk", "cold", second)


def test_at_answers_with_what_was_pinned_then(ctl):
    first, _ = ctl.versions(2)
    then = ctl.ok("history", "recommender")["pins"][-1]["at"]

    assert [pin["version"] for pin in ctl.ok("at", then)["pins"]] == [first]
    assert ctl.ok("at", "2020-01-01")["pins"] == []


def test_at_wants_a_time(ctl):
    assert ctl("at", "yesterday").status == 2


def test_freeze_and_unfreeze(ctl):
    ctl.versions(2)
    ctl.change("three")

    assert ctl.ok("freeze", "recommender", "--reason", "sale")["frozen"] is True
    assert "[frozen]" in ctl("pin", "recommender", "v3").err
    assert ctl.ok("unfreeze", "recommender")["frozen"] is False
    assert ctl("pin", "recommender", "v3").status == 0


def test_show_answers_with_the_content(ctl):
    version = ctl.change("one")

    shown = ctl.ok("show", "recommender", "v1")

    assert shown["id"] == version
    assert shown["content"]["system"] == "one"


def test_diff_answers_with_what_changed(ctl):
    ctl.change("one")
    ctl.change("two")

    answer = ctl.ok("diff", "recommender", "v1", "v2")

    assert answer["same"] is False
    assert answer["system"] == "@@ -1 +1 @@\n-one\n+two"
    assert ctl.ok("diff", "recommender", "v1", "v1")["same"] is True


def test_render_answers_with_the_body_in_each_dialect(ctl):
    ctl.change("You sell for {{shop}}.")

    answer = ctl.ok("render", "recommender", "v1", "--var", "shop=Seaside", "--text", "Hi")

    chat = answer["dialects"]["openai.chat"]
    assert chat["path"] == "/v1/chat/completions"
    assert chat["body"]["messages"][0] == {
        "role": "system",
        "content": "You sell for Seaside.",
    }
    assert chat["body"]["messages"][-1] == {"role": "user", "content": "Hi"}
    assert answer["dialects"]["openai.responses"]["body"]["temperature"] == 0.2


def test_render_of_one_dialect(ctl):
    ctl.change("one")

    answer = ctl.ok("render", "recommender", "v1", "--dialect", "openai.chat")

    assert list(answer["dialects"]) == ["openai.chat"]


def test_render_says_why_a_dialect_has_no_request(ctl):
    ctl.change("one")

    ran = ctl("render", "recommender", "v1", "--var", "nobody=1", "--json")

    assert ran.status == 1
    assert ran.json["dialects"]["openai.chat"]["error"]["code"] == "unknown_variable"


def test_render_wants_names_and_values(ctl):
    assert ctl("render", "recommender", "v1", "--var", "shop").status == 2


@pytest.mark.parametrize("text", ["[]", '{"a": null}', '{"a": ["c4n4ry"]}', "{", "\xff"])
def test_render_wants_an_object_of_scalars(ctl, text):
    file = ctl.directory / "values.json"
    file.write_bytes(text.encode("latin-1"))

    ran = ctl("render", "recommender", "files", "--vars", str(file))

    assert (ran.status, "c4n4ry" in ran.err) == (2, False)
    assert ctl("render", "recommender", "files", "--vars", f"{file}.none").status == 2


def test_render_shows_headers_that_a_version_adds(ctl):
    with (ctl.model / "version.toml").open("a") as settings:
        settings.write('[generation.extra."anthropic.messages"]\nbetas = ["new-2026"]\n')

    answer = ctl.ok("render", "recommender", "files")

    assert answer["dialects"]["anthropic.messages"]["headers"] == {"anthropic-beta": "new-2026"}
    assert "headers" not in answer["dialects"]["openai.chat"]


def test_render_names_the_variable_that_is_missing(ctl):
    with (ctl.model / "version.toml").open("a") as settings:
        settings.write(TEMPLATE)

    ran = ctl("render", "recommender", "files")

    assert ran.status == 1
    assert "(variable open; values belong in proxy_variables) [missing_variable]" in ran.out


TEMPLATE = """
[variables.stock]
type = "number"
default = 0
[variables.open]
type = "boolean"
required = true
"""


def test_render_of_files_shows_the_users_message_in_each_dialect(ctl):
    with (ctl.model / "version.toml").open("a") as settings:
        settings.write(TEMPLATE)
    (ctl.model / "user.md").write_text("{{stock}} left, open: {{open}}\n")
    values = ctl.directory / "values.json"
    values.write_text('{"stock": 1, "open": false}')

    answer = ctl.ok("render", "recommender", "files", "--vars", str(values), "--var", "stock=2")

    dialects = answer["dialects"]
    message = {"role": "user", "content": "2 left, open: false"}
    assert answer["id"] is None
    assert dialects["openai.chat"]["body"]["messages"][-1] == message
    assert dialects["openai.responses"]["body"]["input"][-1] == message
    assert dialects["anthropic.messages"]["body"]["messages"][-1] == message


def test_a_version_with_a_users_message_comes_back_as_files(ctl):
    ctl.change("one")
    with (ctl.model / "version.toml").open("a") as settings:
        settings.write(TEMPLATE)
    (ctl.model / "user.md").write_text("{{stock}} {{open}}\n")
    ctl.ok("register", "recommender")

    shown = ctl.ok("show", "recommender", "v2")["content"]
    compared = ctl.ok("diff", "recommender", "v1", "v2")
    back = ctl.ok("checkout", "recommender", "v1")
    again = ctl.ok("checkout", "recommender", "v2")

    assert shown["user"] == "{{stock}} {{open}}"
    assert compared["user"] == "@@ -0,0 +1 @@\n+{{stock}} {{open}}"
    assert back["removed"] == ["user.md"]
    assert again["written"] == ["version.toml", "user.md"]
    assert (ctl.model / "user.md").read_text() == "{{stock}} {{open}}\n"


def test_a_variable_that_stands_nowhere_is_warned_of(ctl):
    with (ctl.model / "version.toml").open("a") as settings:
        settings.write(TEMPLATE)

    ran = ctl("register", "recommender")

    assert ran.status == 0
    assert "variable stock is declared and stands in no text" in ran.err


def test_a_users_message_with_an_undeclared_name_is_refused_with_its_line(ctl):
    (ctl.model / "user.md").write_text("Hello\n{{nobody}}\n")

    ran = ctl("register", "recommender")

    assert ran.status == 1
    assert "user.md:2: {{nobody}} is used but not declared" in ran.err


def test_checkout_makes_the_files_say_what_is_live(ctl):
    ctl.versions(2)
    ctl.ok("rollback", "recommender")

    answer = ctl.ok("checkout", "recommender", "prod")

    assert answer["written"] == ["system.md"]
    assert (ctl.model / "system.md").read_text() == "prompt 1\n"
    assert ctl.ok("register", "recommender")["created"] is False


def test_checkout_keeps_what_is_not_registered(ctl):
    ctl.change("one")
    (ctl.model / "system.md").write_text("unsaved")

    ran = ctl("checkout", "recommender", "v1")

    assert ran.status == 1
    assert "[unsaved_changes]" in ran.err
    assert (ctl.model / "system.md").read_text() == "unsaved"


def test_status_answers_with_pins_fleet_and_store(ctl):
    first, second = ctl.versions(2)

    answer = ctl.ok("status")

    (model,) = answer["models"]
    assert model["labels"]["prod"]["id"] == second
    assert model["rollback_target"] == first
    assert (answer["epoch"], answer["fleet"]) == (2, [])


def test_an_empty_store_is_no_error(ctl):
    assert ctl.ok("versions") == {"models": []}
    assert ctl.ok("status")["models"] == []
    assert ctl.ok("at", "1h")["pins"] == []


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_examples(ctl, verb):
    ran = ctl(verb, "--help")

    assert ran.status == 0
    assert f"\n  examples:\n    proxyctl {verb}" in ran.out or f"proxyctl {verb}" in ran.out
    assert "--json" in ran.out
    assert max(map(len, ran.out.splitlines())) <= 82


def test_without_a_verb_there_is_help(ctl):
    ran = ctl()

    assert ran.status == 0
    assert "rollback" in ran.out


def test_an_unknown_verb_is_wrong_usage(ctl):
    ran = ctl("rolback", "--json")

    assert ran.status == 2
    assert ran.json["error"]["code"] == "wrong_usage"


@pytest.mark.parametrize("order", [["--json", "versions"], ["versions", "--json"]])
def test_json_may_stand_before_or_after_the_verb(ctl, order):
    assert ctl(*order).json == {"models": []}


def test_json_has_every_answer_on_one_line(ctl):
    ctl.change("two\nlines")

    ran = ctl("show", "recommender", "v1", "--json")

    assert json.loads(ran.out)["content"]["system"] == "two\nlines"
    assert ran.out.count("\n") == 1
