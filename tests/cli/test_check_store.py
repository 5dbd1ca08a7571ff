"""proxyctl check over a real Redis: what is said of the server, and of its password."""

import pytest


def check(ctl, url, **env):
    """Return the exit status, and the findings about the store as level and message."""
    ran = ctl("check", "--json", env={"PROXY_STORE_URL": url, "OPENAI_API_KEY": "key", **env})
    found = [one for one in ran.json["findings"] if one["what"] == "store"]
    return ran.status, [(one["level"], one["message"]) for one in found]


def test_a_server_that_keeps_what_it_is_given_is_green(ctl, start_redis):
    status, ((level, message),) = check(ctl, start_redis("--appendonly", "yes").url)

    assert (status, level) == (0, "green")
    assert "redis" in message


def test_a_server_that_may_lose_something_is_yellow(ctl, start_redis):
    status, (_, (level, message)) = check(ctl, start_redis().url)

    assert (status, level) == (0, "yellow")
    assert "forgets at a restart" in message


@pytest.mark.parametrize(
    ("command", "word"),
    [
        (("CONFIG", "SET", "maxmemory-policy", "allkeys-lru"), "evict"),
        (("REPLICAOF", "127.0.0.1", "1"), "read-only replica"),
    ],
)
def test_a_server_that_is_not_used_as_it_is_is_red(ctl, start_redis, command, word):
    server = start_redis("--appendonly", "yes")
    server.run(*command)

    status, (_, (level, message)) = check(ctl, server.url)

    assert (status, level) == (1, "red")
    assert word in message


def test_a_server_that_may_not_be_asked_is_yellow(ctl, start_redis):
    server = start_redis("--appendonly", "yes")
    server.run("ACL", "SETUSER", "ops", "on", ">secret", "~*", "&*", "+@all", "-info")

    status, (_, (level, message)) = check(ctl, server.url.replace("//", "//ops:secret@"))

    assert (status, level) == (0, "yellow")
    assert "was not looked at" in message


def test_a_command_reads_the_password_from_its_file(ctl, start_redis):
    server = start_redis("--appendonly", "yes", "--requirepass", "s3cret")
    (ctl.directory / "password").write_text("s3cret\n")
    file = {"PROXY_STORE_PASSWORD_FILE": str(ctl.directory / "password")}

    assert check(ctl, server.url, **file)[0] == 0
    assert check(ctl, server.url)[1] == [("red", "the store asks for a password")]
