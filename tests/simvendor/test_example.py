from proxy.simvendor.example import MAX_DEPTH, example_of


def test_object_has_every_property():
    schema = {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "count": {"type": "integer"},
            "score": {"type": "number"},
            "ok": {"type": "boolean"},
            "nothing": {"type": "null"},
        },
    }

    value = example_of(schema, "text")

    assert value == {"name": "text", "count": 1, "score": 0.5, "ok": True, "nothing": None}


def test_array_holds_one_item():
    assert example_of({"type": "array", "items": {"type": "string"}}, "x") == ["x"]


def test_enum_and_const_give_what_they_allow():
    assert example_of({"type": "string", "enum": ["red", "blue"]}, "x") == "red"
    assert example_of({"const": 7}, "x") == 7


def test_first_of_several_types_is_taken():
    assert example_of({"type": ["string", "null"]}, "x") == "x"
    assert example_of({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "x") == 1


def test_reference_is_followed():
    schema = {"$ref": "#/$defs/Word", "$defs": {"Word": {"type": "string"}}}

    assert example_of(schema, "x") == "x"


def test_schema_that_refers_to_itself_ends():
    schema = {"properties": {"next": {"$ref": "#"}}}

    value = example_of(schema, "x")

    depth = 0
    while value is not None:
        value, depth = value["next"], depth + 1
    assert depth == MAX_DEPTH + 1


def test_what_is_no_schema_gives_null():
    assert example_of({}, "x") is None
    assert example_of({"$ref": "#/nowhere"}, "x") is None
