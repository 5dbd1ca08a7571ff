"""What people read when output is piped."""

import re

import pytest


@pytest.fixture
def said(ctl):
    """Return a function that runs a verb and gives its page, without what differs from run to
    run."""

    def run(*arguments):
        ran = ctl(*arguments)
        text = re.sub(r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d", "WHEN", ran.out)
        text = re.sub(r"sqlite \S+", "sqlite VERSION,", text)
        return re.sub(r"(v[0-9]+)-[0-9a-f]{6}", r"\1-HEX", text)

    run.ctl = ctl
    return run


def test_a_day_reads_well(said):
    ctl = said.ctl
    assert said("versions") == "no model is registered; see proxyctl register\n"
    assert said("register", "recommender", "--as", "ada") == "recommender-v1-HEX  registered\n"
    assert said("register", "recommender") == "recommender-v1-HEX  was registered before\n"
    assert said("pin", "recommender", "v1", "--as", "ada") == (
        "recommender prod: nothing → v1-HEX  epoch 1\n"
        "no proxy is live; those that start will serve it\n"
    )
    assert said("pin", "recommender", "v1").startswith(
        "recommender prod: v1-HEX was pinned already"
    )
    ctl.change("two")
    assert said("pin", "recommender", "v2", "--as", "bob", "--reason", "shorter").startswith(
        "recommender prod: v1-HEX → v2-HEX  epoch 2\n"
    )


def test_the_history_is_a_table(said):
    said.ctl.versions(2)
    said("rollback", "recommender", "--as", "ada", "--reason", "too\ncold")

    lines = said("history", "recommender").splitlines()

    assert lines[0].split() == ["when", "label", "from", "to", "how", "by", "why"]
    assert lines[1].split() == [
        "WHEN",
        "prod",
        "v2-HEX",
        "v1-HEX",
        "rollback",
        "ada",
        "too",
        "cold",
    ]


def test_a_rollback_says_that_the_version_which_is_left_is_revoked(said):
    said.ctl.versions(2)

    page = said("rollback", "recommender")

    assert "v2-HEX is revoked: it comes back by undo, or by pin --force with a reason" in page


def test_a_forced_pin_says_that_somebody_has_to_ratify_it_and_status_who_froze(said):
    # The worked example has a gate, and no version of it was evaluated here.
    said.ctl.change("one")
    said("gate", "recommender", "--accept", "--reason", "launch")
    said("freeze", "recommender", "--reason", "sale", "--as", "bob")

    forced = said("pin", "recommender", "v1", "--force", "--reason", "x", "--as", "ada")

    assert "forced: status shows it until proxyctl ratify recommender --reason WHY" in forced
    assert "forced, not ratified; frozen by bob, WHEN: sale" in said("status", "recommender")
    said("ratify", "recommender", "--reason", "agreed")
    assert "ratify" in said("history", "recommender")
    assert "nothing  v1-HEX  ratify" not in said("history", "recommender")


def test_versions_show_labels_and_revocations(said):
    said.ctl.versions(2)
    said("rollback", "recommender")

    lines = [line.split() for line in said("versions", "recommender").splitlines()]

    assert [line[:2] for line in lines[1:]] == [["v2-HEX", "revoked"], ["v1-HEX", "prod"]]


def test_models_are_listed_with_what_is_pinned(said):
    said.ctl.versions(2)
    said("pin", "recommender", "v1", "--label", "staging")

    lines = said("versions").splitlines()

    assert lines[1].split() == ["recommender", "v2-HEX", "v2-HEX", "2", "staging", "v1-HEX"]


def test_the_diff_reads_field_by_field_and_line_by_line(said):
    ctl = said.ctl
    ctl.change("one\nsame")
    text = (ctl.model / "version.toml").read_text()
    (ctl.model / "version.toml").write_text(text.replace("temperature = 0.2", "temperature = 0.7"))
    (ctl.model / "tools.json").unlink()
    ctl.change("two\nsame")

    page = said("diff", "recommender", "v1", "v2")

    assert page.startswith(
        "recommender  v1-HEX → v2-HEX\n"
        "\n"
        "field                   before  after\n"
        "generation.temperature  0.2     0.7\n"
        "\n"
        "system\n"
        "@@ -1,2 +1,2 @@\n-one\n+two\n same\n"
        "\n"
        "tool find_products removed\n"
    )
    assert said("diff", "recommender", "v1", "v1").endswith("the same content\n")


def test_status_says_what_stands_in_the_way(said):
    said.ctl.versions(1)
    said("freeze", "recommender", "--reason", "sale")

    page = said("status")

    assert page.startswith("store  sqlite VERSION, .proxy/store.db\nepoch  1\n")
    assert "frozen by " in page
    assert ", WHEN: sale" in page
    assert page.endswith("no proxy is live\n")


def test_at_and_freeze_and_checkout_read_well(said):
    said.ctl.versions(1)

    assert said("at", "0s").splitlines()[0] == "at WHEN UTC"
    assert said("freeze", "recommender") == "recommender is frozen: it goes back only\n"
    assert said("unfreeze", "recommender") == "recommender is not frozen\n"
    assert said("checkout", "recommender", "v1") == (
        "config/models/recommender says recommender-v1-HEX\n  it did already; nothing was changed\n"
    )


def test_show_and_render_print_the_prompt(said):
    said.ctl.change("Sell [red]boats[/red].")

    assert "\nsystem\n  Sell [red]boats[/red].\n" in said("show", "recommender", "v1")
    page = said("render", "recommender", "v1")
    assert "openai.responses  POST /v1/responses" in page
    assert '"content": "Sell [red]boats[/red]."' in page
