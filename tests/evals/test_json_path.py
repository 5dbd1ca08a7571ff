import pytest

from proxy.evals.json_path import is_json_path, look_up

VALUE = {"items": [{"price": 9.5}, [1, 2]], "none": None, "a-b": {"c": "d"}}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("$", (True, VALUE)),
        ("$.items[0].price", (True, 9.5)),
        ("$.items[1][1]", (True, 2)),
        ("$.none", (True, None)),
        ("$.a-b.c", (True, "d")),
        ("$.items[2]", (False, None)),
        ("$.items.price", (False, None)),
        ("$.none.a", (False, None)),
        ("$.a-b[0]", (False, None)),
        ("$[0]", (False, None)),
    ],
)
def test_a_path_means_one_place_or_none(path, found):
    assert is_json_path(path)
    assert look_up(path, VALUE) == found


@pytest.mark.parametrize(
    "text", ["", "items", "$.", "$..a", "$[*]", "$[-1]", "$.a[01]", "$.a ", "$[?(@.a)]"]
)
def test_what_could_mean_more_is_no_path(text):
    assert not is_json_path(text)
