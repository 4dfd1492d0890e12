"""Places in a text: offsets, lines and columns, and the way between them."""

from hypothesis import given
from hypothesis import strategies as st

from stepsmith.source import Position, SourceFile, Span

texts = st.text(st.sampled_from("ab\n\r😀\t\u2028"), max_size=30)


@given(texts)
def test_positions_and_offsets_are_inverses(text):
    source = SourceFile("w", text)
    for offset in range(len(text) + 1):
        position = source.position(offset)
        assert source.offset(position) == offset
        assert position.line >= 1
        assert position.column >= 1


@given(texts)
def test_lines_are_those_that_yaml_counts(text):
    source = SourceFile("w", text)
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    assert [source.line(number) for number in range(1, len(lines) + 1)] == lines
    assert [source.line_length(number) for number in range(1, len(lines) + 1)] == [len(line) for line in lines]
    assert source.line(len(lines) + 1) == source.line(0) == ""
    assert source.line_length(len(lines) + 1) is None
    assert source.line_length(0) is None


@given(texts, st.data())
def test_a_span_covers_the_text_between_its_offsets(text, data):
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    source = SourceFile("w", text)
    span = source.span(start, end)
    assert source.between(span) == text[start:end]
    assert span.start <= span.end


def test_places_read_as_people_write_them_and_sort_as_they_stand():
    span = Span("dir/w.yaml", Position(3, 14), Position(3, 20))
    assert str(span) == "dir/w.yaml:3:14"
    assert sorted([Position(10, 1), Position(9, 30), Position(9, 4)]) == [
        Position(9, 4),
        Position(9, 30),
        Position(10, 1),
    ]
