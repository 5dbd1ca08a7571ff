"""Bodies that are not what they should be; and odd ones that go to the vendor as they are."""

import json

import pytest
import pytest_asyncio

from tests.http.scene import refused, scene_of
from tests.raw_client import raw_app, request

pytestmark = pytest.mark.asyncio(loop_scope="module")

INPUT = "c4n4ry"

MESSAGES = '"messages":[{"role":"user","content":"c4n4ry"}]'
WHOLE = '{"model":"recommender",' + MESSAGES + "}"


def with_field(text):
    """Return a good body with `text` as one more member."""
    return f'{WHOLE[:-1]},"x_note":"c4n4ry",{text}}}'


JSON = (400, "invalid_json")
REQUEST = (400, "invalid_request")
NO_MODEL = (404, "unknown_model")
NO_VERSION = (404, "unknown_version")

BROKEN = {
    "nothing": "",
    "blanks": "  \n",
    "garbage": INPUT,
    "truncated": WHOLE[:-5],
    "something behind": WHOLE + INPUT,
    "two documents": WHOLE + WHOLE,
    "comment": WHOLE.replace(",", ",/* c4n4ry */", 1),
    "trailing comma": WHOLE[:-1] + ",}",
    "single quotes": WHOLE.replace('"', "'"),
    "control character": WHOLE.replace(INPUT, f"{INPUT}\x01"),
    "newline in a string": WHOLE.replace(INPUT, f"{INPUT}\n"),
    "byte order mark": "\ufeff" + WHOLE,
    "invalid UTF-8": WHOLE.encode().replace(b"c4n4ry", b"c4n4ry\xff"),
    "overlong UTF-8": WHOLE.encode().replace(b"c4n4ry", b"c4n4ry\xc0\xaf"),
    "surrogate as UTF-8": WHOLE.encode().replace(b"c4n4ry", b"c4n4ry\xed\xa0\x80"),
    "UTF-16": WHOLE.encode("utf-16"),
    "UTF-16 without a mark": WHOLE.encode("utf-16-le"),
    "lone surrogate": WHOLE.replace(INPUT, f"{INPUT}\\ud800"),
    "lone low surrogate": WHOLE.replace(INPUT, f"{INPUT}\\uDC00"),
    "unknown escape": WHOLE.replace(INPUT, f"{INPUT}\\x41"),
    "gzip": b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03" + INPUT.encode(),
    "not a number": with_field('"seed":NaN'),
    "infinity": with_field('"seed":Infinity'),
    "number with a leading zero": with_field('"seed":007'),
    "hexadecimal number": with_field('"seed":0x7'),
    "nesting": with_field('"metadata":' + "[" * 70 + "]" * 70),
    "objects nesting": with_field('"metadata":' + '{"a":' * 70 + "1" + "}" * 70),
    "deep nesting": with_field('"metadata":' + "[" * 100_000 + "]" * 100_000),
    "nesting without an end": '{"a":' * 100_000,
}
WRONG = {
    "null": "null",
    "string": json.dumps(INPUT),
    "number": "7",
    "list": f"[{WHOLE}]",
    "no messages": '{"model":"recommender","x_note":"c4n4ry"}',
    "messages that are none": '{"model":"recommender","messages":"c4n4ry"}',
    "message that is none": '{"model":"recommender","messages":["c4n4ry"]}',
    "model that is no text": WHOLE.replace('"recommender"', '["c4n4ry"]'),
    "model of ten kilobytes": WHOLE.replace("recommender", INPUT * 2000),
    "stream that is a text": with_field('"stream":"true"'),
    "stream that is a number": with_field('"stream":1'),
    "variables that are none": with_field('"proxy_variables":"c4n4ry"'),
    "variable that is a list": with_field('"proxy_variables":{"tone":["c4n4ry"]}'),
    "thousands of fields": WHOLE[:-1] + "".join(f',"f{n}":1' for n in range(5000)) + "}",
}


def named(name):
    return WHOLE.replace('"recommender"', json.dumps(name))


NAMES = {
    "": NO_MODEL,
    "nobody": NO_MODEL,
    "Recommender": NO_MODEL,
    "recommender ": NO_MODEL,
    "-recommender": NO_MODEL,
    "recommender-": NO_MODEL,
    "a" * 64: NO_MODEL,
    "../recommender": NO_MODEL,
    "recommender*": NO_MODEL,
    "{proxy}:pin": NO_MODEL,
    "recommender:prod": NO_MODEL,
    "recommender\n": NO_MODEL,
    "recommender\0": NO_MODEL,
    "recommendér": NO_MODEL,
    "@v1": NO_MODEL,
    "gpt-4o-2024-08-06": NO_MODEL,
    "recommender@": NO_VERSION,
    "recommender@v0": NO_VERSION,
    "recommender@v-1": NO_VERSION,
    "recommender@v1e3": NO_VERSION,
    "recommender@v01": NO_VERSION,
    "recommender@v\u0663": NO_VERSION,
    "recommender@V1": NO_VERSION,
    "recommender@v1\n": NO_VERSION,
    "recommender@v1%0d%0aX:": NO_VERSION,
    "recommender@../v1": NO_VERSION,
    "recommender@v9999999999999999999": NO_VERSION,
    "recommender@v1-00000g": NO_VERSION,
    "recommender@nothing": NO_VERSION,
    "recommender@Prod": NO_VERSION,
    "recommender@drill": NO_VERSION,
    "recommender@v7": NO_VERSION,
    "recommender-v7-abcdef": NO_VERSION,
    "nobody@staging": NO_MODEL,
    "nobody@v1": NO_MODEL,
    "nobody-v1-abcdef": NO_MODEL,
}

ROWS = {
    **{name: (body, JSON) for name, body in BROKEN.items()},
    **{name: (body, REQUEST) for name, body in WRONG.items()},
    **{f"model {name!a}": (named(name), code) for name, code in NAMES.items()},
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory):
    async with scene_of(tmp_path_factory.mktemp("bodies")) as scene:
        yield scene


async def answer_to(shared, raw):
    async with raw_app(shared.proxy.address) as app:
        await app.send(raw)
        return await app.answer()


@pytest.mark.parametrize("name", ROWS)
async def test_body_that_cannot_be_served_is_refused(shared, name):
    body, expected = ROWS[name]

    answer = await answer_to(shared, request(body))

    assert refused(answer) == expected
    assert answer.header("x-should-retry") == "false"
    assert answer.header("connection") is None


async def test_nothing_of_it_is_said_again_or_logged(tmp_path):
    async with scene_of(tmp_path) as scene:
        answers = {name: await answer_to(scene, request(row[0])) for name, row in ROWS.items()}

        said = {
            name: answer.body + repr(answer.headers).encode() for name, answer in answers.items()
        }
        assert [name for name, text in said.items() if INPUT.encode() in text] == []
        assert len(await scene.lines(len(ROWS))) == len(ROWS)
        assert INPUT.encode() not in bytes(scene.proxy.log.written)


async def test_no_refused_body_went_to_the_vendor(shared):
    for body, _ in ROWS.values():
        await answer_to(shared, request(body))

    assert shared.vendor.requests == []


AS_THEY_ARE = [
    '"metadata":{"a":1180591620717411303424}',
    '"metadata":{"a":1e400}',
    '"metadata":{"a":1.10}',
    '"metadata":{"a":' + "1" * 5000 + "}",
    '"user":"\\u0000\\u00e9\\/"',
    '"user":"{{tone}} {0.__class__} ${a}"',
    '"user":"\\ud83d\\ude00 \U0001f600"',
    '"metadata":' + "[" * 60 + "]" * 60,
    '"metadata":{"b":1,"a":2,"b":3}',
    '"api_base":"http://127.0.0.1:1"',
    '"extra_headers":{"authorization":"x"}',
]


@pytest.mark.parametrize("text", AS_THEY_ARE, ids=range(len(AS_THEY_ARE)))
async def test_odd_values_go_to_the_vendor_as_they_were_written(shared, tmp_path, text):
    async with scene_of(tmp_path) as scene:
        assert (await scene.ask(request(with_field(text)))).status == 200
        assert text.encode() in scene.vendor.requests[0].body


@pytest.mark.parametrize("kind", [None, "text/plain", "application/json; charset=utf-8"])
async def test_content_type_of_the_app_does_not_matter(tmp_path, kind):
    line = b"" if kind is None else b"Content-Type: %b\r\n" % kind.encode()
    raw = request(WHOLE).replace(b"Content-Type: application/json\r\n", line)

    async with scene_of(tmp_path) as scene:
        assert (await scene.ask(raw)).status == 200
        assert scene.vendor.requests[0].header("content-type") == "application/json"


@pytest.mark.parametrize(
    "smuggled",
    [
        '"model":"nobody","mod\\u0065l":"recommender"',
        '"temperature":2,"temp\\u0065rature":1.5',
        '"model":"nobody","model":"recommender"',
    ],
    ids=range(3),
)
async def test_no_key_comes_past_the_policy_twice_or_escaped(tmp_path, smuggled):
    async with scene_of(tmp_path) as scene:
        answer = await scene.ask(request(f'{{"model":"recommender",{smuggled},{MESSAGES}}}'))
        sent = scene.vendor.requests[0].body

        assert answer.status == 200
        assert (sent.count(b'"model"'), sent.count(b"temperature")) == (1, 1)
        assert json.loads(sent)["temperature"] == 0.2
