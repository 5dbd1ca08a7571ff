"""Settings from file, environment and flags: which one wins, and every way they can be wrong."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import InvalidFiles
from proxy.settings_file import STORE_SECTIONS, load_settings, variables

FILE = "etc/proxy.toml"
TEXT = """\
[listen]
data = "127.0.0.1:1111"
[store]
url = "redis://file"
[timeouts]
idle_s = 7
[vendors.openai]
base_url = "https://api.openai.com"
api_key_env = "OPENAI_API_KEY"
"""


def _load(text=TEXT, env=None, flags=None, **more):
    return load_settings(text, FILE, env or {}, flags or {}, **more)


def _problems(text=TEXT, env=None, flags=None):
    with pytest.raises(InvalidFiles) as caught:
        _load(text, env, flags)
    return [str(problem) for problem in caught.value.problems]


def test_without_a_file_there_are_defaults():
    settings = load_settings(None, "config/proxy.toml", {}, {})

    assert settings.listen.data == "127.0.0.1:8080"
    assert settings.models.dir == Path("config/models")


def test_the_environment_wins_over_the_file():
    settings = _load(env={"PROXY_LISTEN": "127.0.0.1:2222"})

    assert settings.listen.data == "127.0.0.1:2222"
    assert settings.timeouts.idle_s == 7


def test_flags_win_over_the_environment():
    settings = _load(
        env={"PROXY_STORE_URL": "redis://env"}, flags={"--store": "redis://flag", "--admin": None}
    )

    assert settings.store.url.get_secret_value() == "redis://flag"


@pytest.mark.parametrize(
    ("variable", "value", "section", "field", "expected"),
    [
        ("PROXY_LISTEN", "[::1]:1", "listen", "data", "[::1]:1"),
        ("PROXY_ADMIN_LISTEN", "127.0.0.1:0", "listen", "admin", "127.0.0.1:0"),
        ("PROXY_WORKERS", "4", "listen", "workers", 4),
        ("PROXY_STORE_NAMESPACE", "other", "store", "namespace", "other"),
        ("PROXY_NAME", "web-1", "fleet", "name", "web-1"),
        ("PROXY_STATE_DIR", "/var/lib/proxy", "state", "dir", Path("/var/lib/proxy")),
        ("PROXY_MODELS_DIR", "models", "models", "dir", Path("models")),
        ("PROXY_MODELS_UNMANAGED", "passthrough", "models", "unmanaged", "passthrough"),
        ("PROXY_LIMITS_HEADERS", "7", "limits", "headers", 7),
        ("PROXY_TIMEOUTS_IDLE_S", "0.5", "timeouts", "idle_s", 0.5),
        ("PROXY_LOG_REQUESTS", "false", "log", "requests", False),
    ],
)
def test_a_variable_sets_its_field(variable, value, section, field, expected):
    settings = _load(env={variable: value})

    assert getattr(getattr(settings, section), field) == expected


def test_every_scalar_of_a_fixed_section_has_a_variable():
    names = variables()

    assert len(set(names.values())) == len(names)
    assert names["limits", "body_bytes"] == "PROXY_LIMITS_BODY_BYTES"
    assert ("models", "prompts") not in names


def test_an_empty_variable_counts_as_not_given():
    assert _load(env={"PROXY_STORE_URL": ""}).store.url.get_secret_value() == "redis://file"


def test_variables_of_others_are_left_alone():
    assert _load(env={"PROXY_PORT": "tcp://10.0.0.1:80", "PROXY_SERVICE_HOST": "x"}) == _load()


def test_models_are_looked_for_beside_the_file():
    assert _load().models.dir == Path("etc/models")
    assert _load("[models]\ndir = '../other'").models.dir == Path("etc/../other")
    assert _load("[models]\ndir = '/srv/models'").models.dir == Path("/srv/models")


@pytest.mark.parametrize(
    "url",
    [
        *("https://h:99999", "https://h:0", "https://h:https", "https://[::1", "https://[x]"),
        *(f"https://{'a' * 64}.com", f"https://{'a.' * 127}com", "https://a..b", "https://-a"),
        *(
            "https://h/v1?",
            "https://h/#",
            "https://@h",
            'https://h/"',
            "https://h\\x",
            "https://*.h",
        ),
        *("ftp://h", "https://", "h"),
    ],
)
def test_a_base_url_that_could_not_be_called_is_refused(url):
    text = TEXT.replace("https://api.openai.com", url.replace("\\", "\\\\").replace('"', '\\"'))

    (problem,) = _problems(text)
    assert problem.startswith("etc/proxy.toml:8: vendors.openai.base_url: ")


@pytest.mark.parametrize(
    "url",
    [
        *("https://api.openai.com", "http://127.0.0.1:9000", "http://[::1]:9000/x", "https://h."),
        *("https://my_host.internal:8443/openai/v1", "https://h/a-b_c.d~e/$x,y;z=1@2", "HTTPS://H"),
    ],
)
def test_a_base_url_that_could_be_called_is_taken(url):
    settings = _load(TEXT.replace("https://api.openai.com", url))

    assert settings.vendors["openai"].base_url == url


@pytest.mark.parametrize("host", ["a" * 64, "a..b", "a b", "a/b"])
def test_an_address_that_no_resolver_takes_is_refused(host):
    assert _problems("", env={"PROXY_ADMIN_LISTEN": f"{host}:1"}) == [
        "PROXY_ADMIN_LISTEN: listen.admin: must begin with an address or the name of a host"
    ]


def test_all_problems_are_told_with_file_line_and_field():
    text = TEXT.replace("idle_s = 7", "idel_s = 7\nbody_s = '8'").replace("https:", "http:")

    assert _problems(text + "[vendros.x]\n", env={"PROXY_LISTEN": "nowhere"}) == [
        "PROXY_LISTEN: listen.data: must be HOST:PORT, for example 127.0.0.1:8080",
        'etc/proxy.toml:6: timeouts.idel_s: unknown field; did you mean "idle_s"?',
        "etc/proxy.toml:7: timeouts.body_s: should be a valid number",
        "etc/proxy.toml:9: vendors.openai.base_url: plain http is for loopback only: "
        "credentials would be readable",
        'etc/proxy.toml:11: vendros: unknown field; did you mean "vendors"?',
    ]


@pytest.mark.parametrize(
    ("env", "problem"),
    [
        (
            {"PROXY_LIMITS_HEADERS": "many"},
            "PROXY_LIMITS_HEADERS: limits.headers: should be a valid integer",
        ),
        (
            {"PROXY_TIMEOUTS_IDLE_S": "0"},
            "PROXY_TIMEOUTS_IDLE_S: timeouts.idle_s: should be greater than 0",
        ),
        (
            {"PROXY_TIMEOUTS_IDLE_S": "nan"},
            "PROXY_TIMEOUTS_IDLE_S: timeouts.idle_s: numbers must be finite",
        ),
        (
            {"PROXY_LOG_REQUESTS": "perhaps"},
            "PROXY_LOG_REQUESTS: log.requests: should be a valid boolean",
        ),
        (
            {"PROXY_LISTEN": "0.0.0.0:80"},
            "PROXY_LISTEN: listen.data: is not on loopback, so [apps] with tokens are required",
        ),
    ],
)
def test_a_wrong_variable_is_named(env, problem):
    assert _problems(env=env) == [problem]


def test_a_wrong_flag_is_named():
    assert _problems(flags={"--listen": "x"})[0].startswith("--listen: listen.data: must be")


def test_a_flag_is_read_as_what_its_field_takes():
    assert _load(flags={"--workers": "4"}).listen.workers == 4
    assert _problems(flags={"--workers": "many"}) == [
        "--workers: listen.workers: should be a valid integer"
    ]


def test_apps_demand_a_key_of_every_vendor():
    text = TEXT.replace('api_key_env = "OPENAI_API_KEY"\n', "")
    token = "a" * 64

    assert _problems(f'{text}[apps.web]\ntoken_sha256 = "{token}"') == [
        "etc/proxy.toml:7: vendors.openai: needs an api_key_file or api_key_env, "
        "because [apps] exist"
    ]


def test_a_syntax_error_has_its_line():
    assert _problems("[listen]\ndata = \n") == [
        "etc/proxy.toml:2: is not valid TOML: Invalid value"
    ]


def test_values_are_not_repeated():
    url = "postgres://user:canary@host"

    problems = _problems(TEXT.replace('"redis://file"', f'["{url}"]'))

    assert problems == ["etc/proxy.toml:4: store.url: should be a valid string"]


def test_the_store_can_be_read_from_a_file_that_is_wrong_elsewhere():
    text = TEXT.replace("idle_s", "idel_s")

    settings = _load(text, env={"PROXY_LISTEN": "nowhere"}, only=STORE_SECTIONS)

    assert settings.store.url.get_secret_value() == "redis://file"


@given(st.text(), st.text())
def test_no_text_raises_anything_but_problems(text, value):
    try:
        _load(text, env={"PROXY_LISTEN": value})
    except InvalidFiles as error:
        problems = error.problems
        assert all(problem.message for problem in problems)
