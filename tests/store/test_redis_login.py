import pytest

from proxy.errors import StoreUnavailable
from proxy.store.redis_login import MAX_PASSWORD_BYTES, PasswordFile


@pytest.fixture
def file(tmp_path):
    return tmp_path / "password"


@pytest.mark.parametrize("text", ["p@s/s", "p@s/s\n", "\r\n p@s/s \r\n"])
async def test_what_surrounds_the_password_does_not_count(file, text):
    file.write_text(text, newline="")

    assert await PasswordFile("ada", file).get_credentials_async() == ("ada", "p@s/s")


async def test_without_a_user_it_is_the_default_users(file):
    file.write_text("secret")

    assert await PasswordFile("", file).get_credentials_async() == ("secret",)


async def test_it_is_read_each_time(file):
    login = PasswordFile("ada", file)
    file.write_text("one")
    await login.get_credentials_async()
    file.write_text("two")

    assert await login.get_credentials_async() == ("ada", "two")


@pytest.mark.parametrize(
    "content", [None, b"", b" \n", b"\xff\xfe", b"x" * (MAX_PASSWORD_BYTES + 1)]
)
async def test_a_file_that_holds_no_password_is_named(file, content):
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(StoreUnavailable) as caught:
        await PasswordFile("ada", file).get_credentials_async()

    assert str(file) in caught.value.hint


def test_it_shows_nothing_of_itself(file):
    file.write_text("secret")

    assert repr(PasswordFile("ada", file)) == "***"
