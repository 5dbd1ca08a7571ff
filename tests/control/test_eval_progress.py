"""What is noted of an eval survives whatever ends it, and is about nothing else."""

import os

import pytest

from proxy.control.eval_progress import MAX_AGE_S, About, NoNotes, Scored, open_notes

ABOUT = About("shop", "sha256:" + "a" * 64, "sha256:" + "b" * 64, "")
ONE, TWO = Scored("rain", 0, 1.0, latency_ms=3.5), Scored("rain", 1, 0.5, ("contains x",))


@pytest.fixture
def notes(tmp_path):
    """Return a function that opens notes as a run does; `now` is just after they were written."""

    def opened(about=ABOUT, *, fresh=False, later_s=0.0):
        path = tmp_path / about.name
        now_s = (path.stat().st_mtime if path.exists() else 0.0) + later_s
        return open_notes(tmp_path, about, fresh=fresh, now_s=now_s)

    opened.file = tmp_path / ABOUT.name
    return opened


def noted(notes, *answers):
    run = notes()
    for one in answers:
        run.add(one)
    run.close()


def test_another_run_goes_on(notes):
    noted(notes, ONE)
    noted(notes, TWO)

    assert notes().known == (ONE, TWO)


def test_a_torn_line_is_left_out_and_the_next_one_stands_by_itself(notes):
    noted(notes, ONE, TWO)
    notes.file.write_bytes(notes.file.read_bytes()[:-7])
    noted(notes, TWO)

    assert notes().known == (ONE, TWO)


def test_a_file_of_garbage_is_begun_anew(notes):
    notes.file.write_bytes(b"\xff\x00 nothing of ours")

    assert notes().known == ()


def test_fresh_forgets(notes):
    noted(notes, ONE)

    assert notes(fresh=True).known == ()


def test_what_is_old_says_nothing_about_today(notes):
    noted(notes, ONE)

    assert notes(later_s=MAX_AGE_S + 1).known == ()


def test_other_content_another_suite_and_another_place_have_notes_of_their_own(notes):
    noted(notes, ONE)
    others = (
        About("shop", "sha256:" + "c" * 64, ABOUT.suite, ""),
        About("shop", ABOUT.digest, "sha256:" + "c" * 64, ""),
        About("shop", ABOUT.digest, ABOUT.suite, "simulated"),
    )

    assert [notes(about).known for about in others] == [(), (), ()]


def test_a_result_that_is_kept_needs_no_notes(notes):
    noted(notes, ONE)
    run = notes()
    run.done()
    run.close()

    assert not notes.file.exists()


def test_a_run_that_heard_nothing_leaves_no_file(notes):
    notes().close()

    assert not notes.file.exists()


def test_two_runs_at_once_do_not_mix(notes):
    first = notes()
    second = notes()
    second.add(TWO)
    first.add(ONE)
    first.close()

    assert isinstance(second, NoNotes)
    assert notes().known == (ONE,)


def test_only_the_owner_reads_them(notes):
    noted(notes, ONE)

    assert notes.file.stat().st_mode & 0o077 == 0


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_where_nothing_can_be_written_an_eval_runs_without(tmp_path):
    tmp_path.chmod(0o500)

    assert isinstance(open_notes(tmp_path / "evals", ABOUT, fresh=False, now_s=0.0), NoNotes)


def test_where_the_place_is_a_file_an_eval_runs_without(tmp_path):
    (tmp_path / "evals").write_text("")

    assert isinstance(open_notes(tmp_path / "evals", ABOUT, fresh=False, now_s=0.0), NoNotes)
