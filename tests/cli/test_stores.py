"""The same commands over a real Redis."""

import json
import secrets

import pytest


@pytest.fixture
def redis_ctl(ctl, redis_server):
    namespace = f"test-{secrets.token_hex(4)}"

    def run(*arguments):
        env = {"PROXY_STORE_URL": redis_server.url, "PROXY_STORE_NAMESPACE": namespace}
        ran = ctl(*arguments, "--json", env=env)
        return ran.status, ran.json

    run.model = ctl.model
    return run


def test_a_day_over_redis(redis_ctl):
    _, first = redis_ctl("register", "recommender")
    assert redis_ctl("pin", "recommender", "v1", "--expect", "none")[0] == 0
    (redis_ctl.model / "system.md").write_text("two\n")
    _, second = redis_ctl("register", "recommender")
    assert second["parent"] == first["id"]
    assert redis_ctl("pin", "recommender", "v2", "--expect", "v1")[0] == 0

    status, back = redis_ctl("rollback", "recommender", "--reason", "cold")
    assert (status, back["to"]) == (0, first["id"])
    status, refused = redis_ctl("pin", "recommender", "v2")
    assert (status, refused["error"]["code"]) == (1, "revoked")
    assert redis_ctl("undo", "recommender")[1]["to"] == second["id"]

    pins = redis_ctl("history", "recommender")[1]["pins"]
    assert [pin["kind"] for pin in pins] == ["undo", "rollback", "pin", "pin"]
    (model,) = redis_ctl("status")[1]["models"]
    assert model["labels"]["prod"]["id"] == second["id"]
    assert "redis" in json.dumps(redis_ctl("check")[1]["findings"][0])
