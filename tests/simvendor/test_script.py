from proxy.simvendor.script import (
    GARBAGE,
    MAX_STALL_S,
    VERBS,
    Cut,
    Events,
    Fail,
    Fin,
    Garbage,
    Pace,
    Refuse,
    Rest,
    Stall,
    asked_for,
    without_triggers,
)


def test_text_without_a_trigger_asks_for_no_script():
    assert asked_for("What should I wear? [[not:this]] [sim:cut]") == ()


def test_unknown_verb_asks_for_no_script():
    assert asked_for("[[sim:explode]]") == ()


def test_cut_comes_after_as_many_events_as_asked():
    assert asked_for("please [[sim:cut after=5]]") == (Events(5), Cut())


def test_cut_may_come_before_anything():
    assert asked_for("[[sim:cut after=0]]") == (Cut(),)


def test_status_takes_the_code_and_a_retry_after():
    script = asked_for("[[sim:status 429 retry_after=3]]")

    assert script == (Refuse(429, headers={"retry-after": "3"}),)


def test_status_that_is_no_error_becomes_500():
    assert asked_for("[[sim:status 200]]") == (Refuse(500),)


def test_stall_goes_on_with_the_rest_of_the_answer():
    assert asked_for("[[sim:stall after=2 s=0.5]]") == (Events(2), Stall(0.5), Rest())


def test_stall_is_never_longer_than_the_limit():
    assert asked_for("[[sim:stall s=999999]]") == (Stall(MAX_STALL_S), Rest())


def test_triggers_are_played_one_after_the_other():
    script = asked_for("[[sim:pace ms=5]] and then [[sim:fin after=1]]")

    assert script == (Pace(5), Events(1), Fin())


def test_number_that_cannot_be_read_is_the_default():
    assert asked_for("[[sim:cut after=soon]]") == (Events(3), Cut())


def test_garbage_and_error_have_scripts():
    assert asked_for("[[sim:garbage]]") == (Garbage(GARBAGE), Cut())
    assert asked_for("[[sim:error after=1]]") == (Events(1), Fail())


def test_every_verb_is_documented(repository):
    page = (repository / "docs" / "simulated-vendor.md").read_text()

    assert [verb for verb in VERBS if f"[[sim:{verb}" not in page] == []


def test_trigger_is_left_out_of_what_is_repeated():
    assert without_triggers("wear what? [[sim:pace ms=1]]") == "wear what?"
