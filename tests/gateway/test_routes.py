"""Which endpoint serves which path: looked up, or found by a path that holds the model's name."""

import pytest

from proxy.dialects.anthropic_messages import AnthropicMessages
from proxy.dialects.base import Asked, FixedPath, WithoutModel
from proxy.dialects.openai_chat import OpenAIChat
from proxy.errors import MethodNotAllowed, NotFound
from proxy.gateway.routes import Table, asked_model
from proxy.http.head import Head

DEPLOYMENT = "/openai/deployments/NAME/chat/completions"
CHAT, MESSAGES = OpenAIChat(), AnthropicMessages()


class Generate(FixedPath):
    """An endpoint as other vendors have them: model and way of answering are in the path."""

    path = "/v1beta/models/NAME:generate"
    dialect = CHAT

    def serves(self, path):
        return path.startswith(b"/v1beta/models/") and path.endswith((b":generate", b":stream"))

    def read(self, body, *, depth, target=b"", headers=None):
        name, _, call = target.partition(b"?")[0].rpartition(b":")
        return Asked(name.removeprefix(b"/v1beta/models/").decode(), call == b"stream", {}, {})

    def upstream_path(self, target, vendor_model):
        call = target.partition(b"?")[0].rpartition(b":")[2]
        return b"/v1beta/models/%b:%b" % (vendor_model.encode(), call)


class Generator(OpenAIChat):
    def __init__(self):
        super().__init__()
        self.others = (*self.others, Generate())


TABLE = Table([Generator(), MESSAGES])


def head(path, method=b"POST", **fields):
    named = {name.replace("_", "-").encode(): value for name, value in fields.items()}
    return Head(method, path, "1.1", True, list(named.items()), named)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (b"/v1/messages", "/v1/messages"),
        (b"/v1/messages?beta=true", "/v1/messages"),
        (b"/v1/messages/count_tokens", "/v1/messages/count_tokens"),
        (b"/v1beta/models/recommender:generate", Generate.path),
        (b"/v1beta/models/team/recommender%40v7:stream?alt=sse", Generate.path),
        (b"/openai/v1/chat/completions", "/v1/chat/completions"),
        (b"/openai/deployments/a%2Fb/chat/completions?api-version=1", DEPLOYMENT),
    ],
)
def test_an_endpoint_is_found_by_its_path(path, found):
    assert TABLE.find(head(path)).path == found


@pytest.mark.parametrize(
    "path",
    [
        *(b"/v1beta/models/x:other", b"/v1/messages/batches", b"/", b"/openai/v1/messages"),
        *(b"/openai/deployments//chat/completions", b"/openai/deployments/a/b/chat/completions"),
        *(b"/openai/deployments/chat/completions", b"/openai/deployments/a/chat/completions/"),
    ],
)
def test_other_paths_are_nobodys(path):
    with pytest.raises(NotFound):
        TABLE.find(head(path))


@pytest.mark.parametrize("path", [b"/v1/messages", b"/v1beta/models/x:generate"])
def test_endpoints_are_posted_to(path):
    with pytest.raises(MethodNotAllowed):
        TABLE.find(head(path, b"GET"))


def test_model_and_stream_may_be_in_the_path_and_the_vendor_may_want_its_own():
    target = b"/v1beta/models/recommender@v7:stream?alt=sse"
    endpoint = TABLE.find(head(target))

    asked = endpoint.read(b"{}", depth=64, target=target)

    assert (asked.address, asked.stream) == ("recommender@v7", True)
    assert endpoint.upstream_path(target, "vendor-9") == b"/v1beta/models/vendor-9:stream"


def test_a_body_may_go_without_a_model():
    composed = WithoutModel(b"never", (b"{", b"}"))

    assert composed.body(b'"vendor-9"') == [b"{", b"}"]


@pytest.mark.parametrize(
    ("sent", "dialect"),
    [
        (head(b"/v1/messages/count_tokens"), MESSAGES),
        (head(b"/v1/models", b"GET", anthropic_version=b"2023-06-01"), MESSAGES),
        (head(b"/v1/nothing", anthropic_version=b"2023-06-01"), MESSAGES),
        (head(b"/v1/models", b"GET"), CHAT),
        (head(b"/v1/nothing"), CHAT),
    ],
)
def test_answers_of_ours_have_the_shape_that_the_app_reads(sent, dialect):
    assert TABLE.dialect(sent).name == dialect.name


@pytest.mark.parametrize(
    ("path", "name"),
    [
        *((path, "") for path in (b"/v1/models", b"/openai/v1/models", b"/openai/models")),
        (b"/v1/models/recommender%40v7", "recommender@v7"),
        (b"/openai/models/team%2Frec:prod%20v1", "team/rec:prod v1"),
        (b"/v1/models/", ""),
        (b"/v1/modelsx", None),
        (b"/v1/models\xff", None),
    ],
)
def test_models_are_asked_for_under_the_paths_that_sdks_have(path, name):
    assert asked_model(path) == name
