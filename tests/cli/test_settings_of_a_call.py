"""Where a command takes its settings from."""


def _rows(ctl, *arguments, env=None):
    ran = ctl("versions", "--json", *arguments, env=env)
    assert ran.status == 0, ran.err
    return ran.json["models"]


def test_the_store_may_be_named_before_or_after_the_verb(ctl):
    url = f"sqlite:///{ctl.directory}/other.db"

    assert ctl("--store", url, "register", "recommender").status == 0
    assert len(_rows(ctl, "--store", url)) == 1
    assert _rows(ctl) == []


def test_the_environment_names_a_store(ctl):
    url = f"sqlite:///{ctl.directory}/other.db"
    ctl("--store", url, "register", "recommender")

    assert len(_rows(ctl, env={"PROXY_STORE_URL": url})) == 1


def test_the_configuration_names_a_store(ctl):
    url = f"sqlite:///{ctl.directory}/other.db"
    (ctl.directory / "own.toml").write_text(f'[store]\nurl = "{url}"')
    ctl("--store", url, "register", "recommender")

    assert len(_rows(ctl, "--config", "own.toml")) == 1
    assert len(_rows(ctl, env={"PROXY_CONFIG": "own.toml"})) == 1


def test_a_configuration_that_is_named_must_be_there(ctl):
    ran = ctl("versions", "--config", "missing.toml")

    assert ran.status == 1
    assert "missing.toml: there is no such file" in ran.err


def test_without_a_configuration_there_are_defaults(ctl):
    (ctl.directory / "config/proxy.toml").unlink()

    assert _rows(ctl) == []


def test_a_rollback_works_with_a_configuration_that_is_wrong_elsewhere(ctl):
    ctl.versions(2)
    with (ctl.directory / "config/proxy.toml").open("a") as file:
        file.write("[timeouts]\nidel_s = 3\n")

    assert ctl("rollback", "recommender").status == 0
    assert "did you mean" in ctl("check").err


def test_a_store_url_that_makes_no_sense_is_not_repeated(ctl):
    ran = ctl("versions", "--store", "postgres://user:canary@host/db", "--json")

    assert ran.status == 1
    assert ran.json["error"]["code"] == "invalid_argument"
    assert "canary" not in ran.out + ran.err


def test_a_store_that_is_away_is_named_as_that(ctl):
    ran = ctl("pin", "recommender", "v1", "--store", "redis://user:canary@127.0.0.1:1/0")

    assert ran.status == 1
    assert "[store_unavailable]" in ran.err
    assert "the store is redis://127.0.0.1:1/0; proxies serve on what they served last" in ran.err
    assert "canary" not in ran.out + ran.err


def test_a_store_whose_file_cannot_be_used_is_named_too(ctl):
    (ctl.directory / "store.db").write_text("no database at all, and long enough to be none")

    ran = ctl("status", "--store", f"sqlite:///{ctl.directory}/store.db")

    assert ran.status == 1
    assert f"the store is {ctl.directory}/store.db;" in ran.err
