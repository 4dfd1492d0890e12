"""Bytes to text: encodings, sizes and what is no text."""

import pytest

from stepsmith.diagnostics import Diagnostics
from stepsmith.loading import MAX_BYTES, read_source


def read(data):
    diagnostics = Diagnostics()
    source = read_source("w.yaml", data, diagnostics)
    found = [(d.slug, str(d.span.start), d.help) for d in diagnostics]
    assert (source is None) == bool(found)
    return source, found


def test_utf8_text_is_read_as_it_is():
    source, _ = read("a: é😀\r\n".encode())
    assert source is not None
    assert (source.path, source.text) == ("w.yaml", "a: é😀\r\n")


def test_a_byte_order_mark_is_not_part_of_the_text():
    source, _ = read(b"\xef\xbb\xbfa: b")
    assert source is not None
    assert source.text == "a: b"


def test_the_greatest_size_is_read_and_one_byte_more_is_not():
    source, _ = read(b"#" * MAX_BYTES)
    assert source is not None
    _, found = read(b"#" * (MAX_BYTES + 1))
    assert [(slug, place) for slug, place, _ in found] == [("file-too-large", "1:1")]


@pytest.mark.parametrize(
    "data",
    [
        "name: x".encode("utf-16"),
        "name: x".encode("utf-16-be"),
        "name: x".encode("utf-16-le"),
        "name: x".encode("utf-32"),
        b"\xfe\xff" + "name: x".encode("utf-16-be"),
    ],
)
def test_other_unicode_encodings_are_named(data):
    _, [(slug, place, help_text)] = read(data)
    assert (slug, place) == ("not-utf8", "1:1")
    assert "save the file as UTF-8" in help_text


def test_a_byte_of_latin_1_is_shown_with_its_place_and_its_likely_meaning():
    _, [(slug, place, help_text)] = read("a: b\nné: caf".encode() + b"\xe9\n")
    assert (slug, place) == ("not-utf8", "2:8")
    assert '"é"' in help_text


def test_the_place_of_a_bad_byte_after_a_byte_order_mark():
    _, [(slug, place, _)] = read(b"\xef\xbb\xbfab\xff")
    assert (slug, place) == ("not-utf8", "1:3")


@pytest.mark.parametrize("data", [b"\xed\xa0\x80", b"a\xc0\x80", b"\xf5\x80\x80\x80", b"abc\xc3"])
def test_surrogates_overlong_and_cut_sequences_are_refused(data):
    _, [(slug, _, _)] = read(data)
    assert slug == "not-utf8"


@pytest.mark.parametrize(
    ("data", "place"),
    [(b"a: b\n\x00c", "2:1"), (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "1:1"), (b"\x7fELF\x02\x01\0\0", "1:7")],
)
def test_binary_data_is_refused_at_its_first_sign(data, place):
    _, [(slug, at, _)] = read(data)
    assert (slug, at) == ("binary-file", place)
