import pytest

from proxy.errors import StoreUnavailable
from proxy.store.redis_login import MAX_PASSWORD_BYTES, PasswordFile


@pytest.fixture
def file(tmp_path):
    return tmp_path / "password"


@pytest.mark.parametrize("text", ["p@s/s", "p@s/s\n", "\r\n p@s/s \r\n"])
def test_what_surrounds_the_password_does_not_count(file, text):
    file.write_text(text, newline="")

    assert PasswordFile("ada", file).credentials() == ("ada", "p@s/s")


def test_without_a_user_it_is_the_default_users(file):
    file.write_text("secret")

    assert PasswordFile("", file).credentials() == ("default", "secret")


def test_it_is_read_each_time(file):
    login = PasswordFile("ada", file)
    file.write_text("one")
    login.credentials()
    file.write_text("two")

    assert login.credentials() == ("ada", "two")


@pytest.mark.parametrize(
    "content", [None, b"", b" \n", b"\xff\xfe", b"x" * (MAX_PASSWORD_BYTES + 1)]
)
def test_a_file_that_holds_no_password_is_named(file, content):
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(StoreUnavailable) as caught:
        PasswordFile("ada", file).credentials()

    assert str(file) in caught.value.hint


def test_it_shows_nothing_of_itself(file):
    file.write_text("secret")

    assert repr(PasswordFile("ada", file)) == "***"
