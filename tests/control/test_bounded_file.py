"""A file that somebody names is read as a whole, up to a size."""

import os
from pathlib import Path

import pytest

from proxy.control.bounded_file import read_bytes, read_text
from proxy.errors import InvalidFiles


@pytest.fixture
def file(tmp_path):
    return tmp_path / "named.txt"


def test_a_file_may_be_just_as_large_as_agreed(file):
    file.write_bytes(b"12345")

    assert read_bytes(file, 5) == b"12345"


def test_no_more_is_read_of_a_larger_file_than_shows_that_it_is():
    with pytest.raises(InvalidFiles, match="is larger than 4 bytes"):
        read_bytes(Path("/dev/zero"), 4)


def test_a_file_that_is_not_there_and_a_folder_cannot_be_read(tmp_path, file):
    for one in (file, tmp_path):
        with pytest.raises(InvalidFiles, match=f"{one.name}.*cannot be read"):
            read_bytes(one, 10)


def test_text_is_utf_8_with_or_without_a_byte_order_mark(file):
    file.write_bytes(b"\xef\xbb\xbfgr\xc3\xbcn")

    assert read_text(file, 10) == "grün"


def test_what_is_no_text_is_refused(file):
    file.write_bytes(os.fsencode("gr\udcfcn"))

    with pytest.raises(InvalidFiles, match="is not valid UTF-8"):
        read_text(file, 10)
