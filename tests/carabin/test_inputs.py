import gzip
import io
import json
import lzma

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carabin import Document
from carabin.formats import BadDocument, InputError, ReadOptions, check_inputs, read_inputs
from carabin.formats.loading import bounded_lines

DEFAULT = ReadOptions()


def items(path, options=DEFAULT):
    check_inputs([str(path)], options)
    return list(read_inputs([str(path)], options))


def pairs(found):
    return [(item.id, item.text) if isinstance(item, Document) else item.cause for item in found]


def test_a_text_file_keeps_every_character(tmp_path):
    path = tmp_path / "note 1.v2.txt"
    path.write_bytes(b"\xef\xbb\xbfFi\xc3\xa8vre\r\n  fin \n")
    assert pairs(items(path)) == [("note 1.v2", "Fièvre\r\n  fin \n")]


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet", "stdin"])
def test_a_byte_order_mark_is_dropped_at_the_beginning_of_a_file_and_nowhere_else(tmp_path, form, monkeypatch):
    """Every offset behind a mark that was dropped inside a table is one too small for whoever reads the table."""
    path, texts = tmp_path / f"notes.{form}", ["\ufefffièvre", "\ufeff\ufeff"]
    records = [{"id": str(number), "text": text} for number, text in enumerate(texts)]
    lines = {
        "csv": "id,text\n" + "".join(f"{record['id']},{record['text']}\n" for record in records),
        "jsonl": "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records),
        "stdin": "".join(f"{text}\n" for text in texts),
    }
    if form == "parquet":
        pq.write_table(pa.Table.from_pylist(records), path)
    else:
        path.write_text(lines[form], encoding="utf-8-sig")
    if form == "stdin":
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(path.open("rb")))
    found = items("-" if form == "stdin" else path, ReadOptions(encoding="UTF-8-SIG"))
    assert [document.text for document in found] == texts


def test_a_folder_is_read_in_the_order_of_its_paths(tmp_path):
    for name in ("b.txt", "a/z.txt", "a/a.txt", "a/notes.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "c.txt").write_bytes(b"fi\xe8vre")
    (tmp_path / "d.txt").symlink_to(tmp_path / "gone.txt")
    found = pairs(items(tmp_path))
    assert found[:3] == [("a/a", "a/a.txt"), ("a/z", "a/z.txt"), ("b", "b.txt")]
    assert "not utf-8 (byte 2)" in found[3]
    assert found[4] == "No such file or directory"


BAD_LINES = [
    (b'{"id": "1", "text": "secret \xe8"}', "not UTF-8"),
    (b'{"id": "1", "text": "a\x00b"}', "not JSON"),
    (b'{"id": "1", "text": "a\\u0000b"}', "NUL at code point 1"),
    (b'{"id": "1", "text": "secret\\ud83d"}', "lone surrogate at code point 6"),
    (b'{"id": "\\udc00", "text": "a"}', "lone surrogate"),
    (b'{"id": "1", "text": "a", "unit": "\\udc00"}', "lone surrogate"),
    (b'{"id": "1", "text": null}', "no text"),
    (b'{"id": "1"}', "no text"),
    (b'{"id": "1", "text": 5}', "not a string"),
    (b'{"id": 1.5, "text": "a"}', "neither a string nor a whole number"),
    (b'{"id": true, "text": "a"}', "neither a string nor a whole number"),
    (b'{"id": "1", "text": "secret"', "not JSON"),
    (b'{"id": "1", "text": "a", "x": NaN}', "not JSON"),
    (b'{"id": "1", "text": "a", "x": ' + b"9" * 5000 + b"}", "not JSON"),
    (b"[" * 50_000, "nested too deep"),
    (b'["fievre"]', "expected an object"),
    (b"fievre", "not JSON"),
    (b'{"id": "1", "text": "' + b"a" * 2000 + b'"}', "2,000 characters, over the limit of 1,000"),
    (b'{"id": "1", "text": "' + b"a" * 100_000 + b'"}', "line over"),
]


@pytest.mark.parametrize(("line", "cause"), BAD_LINES)
def test_a_bad_line_is_set_aside_and_the_next_is_read(tmp_path, line, cause):
    path = tmp_path / "notes.jsonl"
    path.write_bytes(b'{"id": "a", "text": "x"}\n' + line + b'\n\n{"id": "b", "text": "y"}')
    first, bad, last = items(path, ReadOptions(max_characters=1000))
    assert pairs([first, last]) == [("a", "x"), ("b", "y")]
    assert isinstance(bad, BadDocument)
    assert bad.where == f"{path}:2"
    assert cause in bad.cause
    assert "secret" not in bad.cause
    json.dumps(bad.to_dict(), ensure_ascii=False).encode()


def test_a_line_that_is_not_utf8_is_still_called_by_its_id(tmp_path):
    path = tmp_path / "notes.jsonl"
    path.write_bytes(b'{"id": "1", "text": "\xe8"}\n{"id": "\xe8", "text": "a"}\n{"id": "2", "text": "a\xe8\n')
    assert [item.id for item in items(path)] == ["1", "\ufffd", None]


def test_other_fields_stay_and_old_entities_do_not_matter(tmp_path):
    path = tmp_path / "notes.jsonl"
    record = {"note_id": 7, "note_text": "a", "ward": "ORL", "entities": [{"start": 5, "end": 99}]}
    path.write_text(json.dumps(record) + '\n{"text": "b"}\n')
    first, second = items(path)
    assert (first.id, first.text, dict(first.attributes), first.entities) == ("7", "a", {"ward": "ORL"}, ())
    assert second.id == f"{path}:2"


@pytest.mark.parametrize(("suffix", "compress"), [(".gz", gzip.compress), (".xz", lzma.compress)])
def test_a_compressed_file_is_read_and_a_cut_one_told(tmp_path, suffix, compress):
    lines = "".join(json.dumps({"id": n, "text": f"note {n} {n * 7919}"}) + "\n" for n in range(20_000)).encode()
    whole = compress(lines)
    path = tmp_path / f"notes.jsonl{suffix}"
    path.write_bytes(whole)
    assert len(items(path)) == 20_000
    for damaged in (whole[: len(whole) // 2], whole[:-3], b"not compressed\n"):
        path.write_bytes(damaged)
        *_, last = items(path)
        assert "damaged" in last.cause


@pytest.mark.parametrize("delimiter", [";", ",", "\t"])
def test_csv_keeps_line_ends_inside_quotes(tmp_path, delimiter):
    path = tmp_path / "notes.csv"
    rows = [["note_id", "ward", "note_text"], ["1", "ORL", '"Fièvre;\r\naiguë, ""38"""'], ["2", "", ""]]
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(delimiter.join(row) for row in rows).encode())
    assert pairs(items(path)) == [("1", 'Fièvre;\r\naiguë, "38"'), ("2", "")]


def test_csv_of_older_windows_software(tmp_path):
    path = tmp_path / "notes.csv"
    path.write_bytes("id;texte\n1;fièvre\n2;œdème\n".encode("cp1252"))
    assert all("not utf-8" in item.cause for item in items(path))
    assert pairs(items(path, ReadOptions(encoding="cp1252"))) == [("1", "fièvre"), ("2", "œdème")]


def test_bad_rows_are_set_aside_and_the_next_is_read(tmp_path):
    path = tmp_path / "notes.csv"
    path.write_bytes(b"id,text\n1,a,b\n2,\x00\n3," + b"x" * 2000 + b"\n4," + b"x" * 200_000 + b"\n5,fine\n")
    assert [item.id for item in items(path, ReadOptions(max_characters=1000))] == ["1", "2", "3", None, "5"]
    found = pairs(items(path, ReadOptions(max_characters=1000)))
    assert found[0].startswith("3 fields where the header has 2")
    assert found[1].startswith("text: NUL")
    assert "a field over the limit of 1,000" in found[2]
    assert "a field over the limit of 1,000" in found[3]
    assert found[4] == ("5", "fine")


def test_an_unbalanced_quote_costs_no_more_than_the_limit(tmp_path):
    path = tmp_path / "notes.csv"
    path.write_text('id,text\n1,"open\n' + "".join(f"{n},note {n}\n" for n in range(1000)))
    found = items(path, ReadOptions(max_characters=500))
    assert "unbalanced quote" in found[0].cause
    assert found[-1].text == "note 999"


@pytest.mark.parametrize(
    ("content", "options", "cause"),
    [
        ("a;b\n1;2\n", DEFAULT, "no column 'text'; name one of 'a', 'b' with --text-column"),
        ("text\nx\n", ReadOptions(text_column="corps"), "no column 'corps'"),
        ("text\nx\n", ReadOptions(id_column="nip"), "no column 'nip'"),
        ("", DEFAULT, "no header"),
    ],
)
def test_columns_are_checked_before_anything_is_run(tmp_path, content, options, cause):
    path = tmp_path / "notes.csv"
    path.write_text(content)
    with pytest.raises(InputError, match=cause):
        check_inputs([str(path)], options)


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())]
)
def test_omop_notes_are_found_by_their_columns(tmp_path, kind):
    path = tmp_path / "note.parquet"
    texts = pa.array(["Fièvre\r\n😀", None, ""], pa.string()).cast(kind)
    pq.write_table(pa.table({"person_id": [1, 2, 3], "NOTE_ID": [10, 11, 12], "note_text": texts}), path)
    assert pairs(items(path)) == [("10", "Fièvre\r\n😀"), "no text (null)", ("12", "")]


def test_parquet_text_that_is_not_utf8_is_set_aside(tmp_path):
    path = tmp_path / "note.parquet"
    raw = pa.array([b"fi\xe8vre", b"ok", b"a\x00"]).view(pa.string())
    pq.write_table(pa.table({"text": raw}), path)
    found = items(path)
    assert found[0].id == found[0].where == f"{path}:row 0"
    assert "not utf-8" in found[0].cause
    assert found[1].text == "ok"
    assert "NUL" in found[2].cause


def test_a_damaged_parquet_file_is_told(tmp_path):
    path = tmp_path / "note.parquet"
    table = pa.table({"text": [f"note {n} {n * 7919}" for n in range(5000)]})
    pq.write_table(table, path, row_group_size=1000, compression="snappy")
    whole = path.read_bytes()
    path.write_bytes(whole[:-9])
    with pytest.raises(InputError, match="not a Parquet file"):
        check_inputs([str(path)], DEFAULT)
    path.write_bytes(whole[:4000] + b"\xff" * 4000 + whole[8000:])
    found = items(path)
    assert isinstance(found[-1], BadDocument)
    assert "damaged Parquet" in found[-1].cause


class Stdin:
    def __init__(self, data):
        self.buffer = io.BytesIO(data)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"Fi\xc3\xa8vre\r\n\nToux \n", [("1", "Fièvre"), ("3", "Toux ")]),
        (b'{"id": "a", "text": "x"}\n', [("a", "x")]),
        (b'\n{"id": "a", "text": "x"}\nToux\n', [("a", "x"), "not JSON (Expecting value, column 1)"]),
        (b"{Fievre}\n", [("1", "{Fievre}")]),
        (b"", []),
    ],
)
def test_standard_input_is_a_document_a_line_or_jsonl(monkeypatch, data, expected):
    monkeypatch.setattr("sys.stdin", Stdin(data))
    assert pairs(read_inputs(["-"], DEFAULT)) == expected


@settings(deadline=None)
@given(st.lists(st.binary(max_size=12), max_size=8), st.integers(1, 10))
def test_lines_longer_than_the_limit_are_passed_over_whole(lines, limit):
    lines = [line.replace(b"\n", b"") + b"\n" for line in lines]
    found = list(bounded_lines(io.BytesIO(b"".join(lines)), limit))
    assert found == [line if len(line) <= limit else None for line in lines]


@pytest.mark.parametrize("name", ["gone.txt", "notes.docx", "note.parquet.gz", "empty"])
def test_an_input_that_is_none_is_refused(tmp_path, name):
    (tmp_path / "empty").mkdir()
    for other in ("notes.docx", "note.parquet.gz"):
        (tmp_path / other).touch()
    with pytest.raises(InputError, match=name):
        check_inputs([str(tmp_path / name)], DEFAULT)


@pytest.mark.parametrize("encoding", ["utf-16", "klingon"])
def test_encodings_that_cannot_be_read_by_line_are_refused(encoding):
    with pytest.raises(InputError, match=encoding):
        ReadOptions(encoding=encoding)
