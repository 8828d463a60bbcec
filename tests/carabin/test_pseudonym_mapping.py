"""A mapping in clear on the disk undoes the whole; one that opens half is believed whole."""

import json
import os

import pytest

from carabin.pseudonyms import mapping
from carabin.pseudonyms.keys import KeyFileError, Secret, write_key
from carabin.pseudonyms.mapping import Lock, MappingError, MappingWriter, read_mapping

SECRET = Secret(b"k" * 32)
RECORDS = [{"id": str(n), "spans": [{"original": f"DUPONT-{n}é"}]} for n in range(5)]
WORDS = "quatre mots de passe"


@pytest.fixture(autouse=True)
def _cheap_scrypt(monkeypatch):
    monkeypatch.setitem(mapping._SCRYPT, "n", 2**10)


def sealed(tmp_path, lock, cuts=(2, 5)):
    """Write the records in parts, join them, and return the file."""
    writer, parts, first = MappingWriter(lock), [], 0
    for number, last in enumerate(cuts):
        parts.append(tmp_path / f"part-{number}.mapping")
        parts[-1].write_bytes(writer.seal(RECORDS[first:last]))
        first = last
    writer.join(parts, tmp_path / "mapping")
    return tmp_path / "mapping"


@pytest.mark.parametrize("lock", [Lock(SECRET), Lock(None, WORDS), Lock(SECRET, WORDS)])
def test_what_is_sealed_comes_back(tmp_path, lock):
    path = sealed(tmp_path, lock)
    assert list(read_mapping(path, lock)) == RECORDS


def test_nothing_of_it_is_in_clear(tmp_path):
    sealed(tmp_path, Lock(SECRET, WORDS))
    for path in tmp_path.iterdir():
        assert b"DUPONT" not in path.read_bytes()
        assert WORDS.encode() not in path.read_bytes()


@pytest.mark.parametrize(
    ("made", "opened"),
    [
        (Lock(SECRET), Lock(Secret(b"x" * 32))),
        (Lock(None, WORDS), Lock(None, WORDS + "!")),
        (Lock(SECRET), Lock(None, WORDS)),
        (Lock(None, WORDS), Lock(SECRET)),
    ],
)
def test_another_key_opens_nothing(tmp_path, made, opened):
    path = sealed(tmp_path, made)
    with pytest.raises(MappingError) as caught:
        list(read_mapping(path, opened))
    assert "DUPONT" not in str(caught.value)


def test_any_changed_byte_is_seen(tmp_path):
    path = sealed(tmp_path, Lock(SECRET))
    whole = path.read_bytes()
    for place in range(0, len(whole), 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(MappingError):
            list(read_mapping(path, Lock(SECRET)))


def test_a_file_cut_short_or_glued_is_not_believed(tmp_path):
    path = sealed(tmp_path, Lock(SECRET))
    whole = path.read_bytes()
    second = whole.index(b'{"format"', 1)
    for damaged in (whole[:second], whole[:-1], whole[second:], whole + whole, b""):
        path.write_bytes(damaged)
        with pytest.raises(MappingError):
            list(read_mapping(path, Lock(SECRET)))


def test_a_part_lost_before_the_join_stops_it(tmp_path):
    writer = MappingWriter(Lock(SECRET))
    with pytest.raises(MappingError, match="without --resume"):
        writer.join([tmp_path / "gone"], tmp_path / "mapping")
    (tmp_path / "torn").write_bytes(writer.seal(RECORDS)[:-3])
    with pytest.raises(MappingError, match="without --resume"):
        writer.join([tmp_path / "torn"], tmp_path / "mapping")


def test_a_lock_that_nobody_could_open_is_refused():
    for arguments in ((None,), (Secret.random(),), (None, "court")):
        with pytest.raises(MappingError):
            Lock(*arguments)


def test_another_cost_of_scrypt_is_refused(tmp_path):
    """A header that asks for a gigabyte would stop the machine before it is seen to be false."""
    path = sealed(tmp_path, Lock(None, WORDS))
    header, _, rest = path.read_bytes().partition(b"\n")
    record = json.loads(header)
    record["n"] = 2**30
    path.write_bytes(json.dumps(record).encode() + b"\n" + rest)
    with pytest.raises(MappingError, match="costs"):
        list(read_mapping(path, Lock(None, WORDS)))


def test_a_key_file_is_private_and_never_written_over(tmp_path):
    path = tmp_path / "secret.key"
    write_key(path)
    assert len(Secret.read(path).key) == 32
    assert Secret.read(path) == Secret.read(path)
    assert path.stat().st_mode & 0o077 == 0
    before = path.read_bytes()
    with pytest.raises(KeyFileError, match="never written over"):
        write_key(path)
    assert path.read_bytes() == before


def test_a_key_file_is_written_byte_for_byte_on_windows(tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr(os, "O_BINARY", 0x8000, raising=False)
    monkeypatch.setattr(os, "open", lambda path, flags, mode, real=os.open: opened.append(flags) or real(path, flags))
    write_key(tmp_path / "secret.key")
    assert opened[0] & 0x8000


def test_what_is_no_key_is_refused(tmp_path):
    (tmp_path / "words").write_text("mot de passe")
    (tmp_path / "short").write_text("00ff")
    for name in ("words", "short", "gone"):
        with pytest.raises(KeyFileError, match="--new-key"):
            Secret.read(tmp_path / name)


def test_a_secret_shows_nothing_of_itself():
    assert "k" * 8 not in repr(SECRET) + repr(Lock(SECRET, WORDS)) and WORDS not in repr(Lock(SECRET, WORDS))
    assert SECRET.subkey("a") != SECRET.subkey("b") != SECRET.key
    assert SECRET.draw(10**9, "a", "bc") != SECRET.draw(10**9, "ab", "c")
    assert Secret.random().fingerprint() == "random"
