import json
import subprocess
import sys

import pytest

from carabin.documents import Document, read_jsonl
from carabin.formats import InputError, OutputError
from carabin.jobs.journal import Journal, JournalError
from carabin.pseudonyms import run
from carabin.pseudonyms.detection import Detector, StudentError
from carabin.pseudonyms.keys import KeyFileError, Secret
from carabin.pseudonyms.mapping import Lock, MappingError, read_mapping
from carabin.pseudonyms.pseudonymiser import Policy
from carabin.pseudonyms.run import PseudonymOptions, leaks_of_files, pseudonymise_files
from tests.carabin.pseudonym_cases import NOTE, SECRET, KnowingStudent, gold

OFFLINE = """
import socket, sys
def blocked(*arguments, **options): raise RuntimeError("the network was asked for")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = blocked
from carabin import cli
cli.main()
"""


def options(**changes):
    return PseudonymOptions(**{"key": SECRET, "rules_only": True, **changes})


def write(path, documents):
    path.write_text("".join(json.dumps(d.to_dict(), ensure_ascii=False) + "\n" for d in documents), encoding="utf-8")
    return path


@pytest.fixture
def notes(tmp_path):
    return write(
        tmp_path / "notes.jsonl",
        [gold(str(n), NOTE.replace("DUVALMONT", f"DUVAL{'ABCDEFGH'[n % 8]}")) for n in range(40)],
    )


@pytest.fixture
def student(monkeypatch):
    """Make the job's detector one with a student that knows the notes."""

    def use(*documents, **how):
        monkeypatch.setattr(run, "load_detector", lambda model, chosen: Detector(KnowingStudent(documents, **how)))

    return use


def lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_every_identity_is_replaced_and_every_annotation_follows(notes, student, tmp_path):
    before = list(read_jsonl(notes))
    student(*before)
    report = pseudonymise_files([notes], tmp_path / "out.jsonl", options=options(rules_only=False))
    after = list(read_jsonl(tmp_path / "out.jsonl"))
    assert (report.documents, report.errors, report.entities) == (40, 0, sum(len(d.entities) for d in before))
    for old, new in zip(before, after, strict=True):
        assert [e.label for e in new.entities] == [e.label for e in old.entities]
        for entity in old.entities:
            surface = old.text[entity.start : entity.end]
            assert len(surface) < 4 or surface not in new.text
        assert "Fièvre à 38,5" in new.text and "😀\n" in new.text and "\r\n" in new.text
    for record in lines(tmp_path / "out.jsonl"):
        for entity in record["entities"]:
            assert entity["text"] == record["text"][entity["start"] : entity["end"]]


def test_the_same_key_makes_the_same_bytes_and_no_key_others(notes, tmp_path):
    outs = [tmp_path / f"{name}.jsonl" for name in "abcd"]
    for out, key in zip(outs, (SECRET, SECRET, Secret(b"x" * 32), None), strict=True):
        pseudonymise_files([notes], out, options=options(key=key))
    first, second, third, fourth = (out.read_bytes() for out in outs)
    assert first == second
    assert len({first, third, fourth}) == 3


def test_a_document_that_the_student_fails_on_never_passes(notes, student, tmp_path):
    """The text would go out as it came in, with every name in it."""
    student(*read_jsonl(notes), breaks_on="DUVALC")
    report = pseudonymise_files([notes], tmp_path / "out.jsonl", options=options(rules_only=False))
    assert (report.documents, report.errors) == (35, 5)
    assert "DUVALC" not in (tmp_path / "out.jsonl").read_text(encoding="utf-8")
    causes = report.errors_path.read_text(encoding="utf-8")
    assert "RuntimeError" in causes and "DUVALC" not in causes


def test_no_other_field_of_a_record_goes_out_unless_named(tmp_path):
    path = write(tmp_path / "in.jsonl", [gold("1", "rien", patient="DUPONT", ward="ORL")])
    pseudonymise_files([path], tmp_path / "out.jsonl", options=options(policy=Policy(keep_fields=("ward",))))
    (record,) = lines(tmp_path / "out.jsonl")
    assert record["ward"] == "ORL" and "patient" not in record


def test_an_id_that_holds_a_name_is_not_let_out(tmp_path):
    path = write(tmp_path / "in.jsonl", [gold("CRH_DUPONT_2019", "Mme Dupont")])
    report = pseudonymise_files([path], tmp_path / "out.jsonl", options=options())
    assert report.errors == 1
    assert "--replace-ids" in report.errors_path.read_text() and "DUPONT" not in report.errors_path.read_text()
    pseudonymise_files([path], tmp_path / "out.jsonl", options=options(policy=Policy(replace_ids=True)))
    (record,) = lines(tmp_path / "out.jsonl")
    assert record["id"].isdigit() and len(record["id"]) == 15


def test_dates_of_a_patient_move_together_over_documents(tmp_path):
    notes = [gold(str(n), f"le [0{n}/03/2019](DATE)", patient="a" if n < 4 else "b") for n in range(1, 7)]
    path = write(tmp_path / "in.jsonl", notes)
    policy = Policy(patient_field="patient")
    pseudonymise_files([path], tmp_path / "out.jsonl", options=options(policy=policy, mapping=tmp_path / "m"))
    days = [record["days"] for record in read_mapping(tmp_path / "m", Lock(SECRET))]
    assert len(set(days[:3])) == len(set(days[3:])) == 1 and days[0] != days[3]
    assert all(day % 7 == 0 and -5 * 366 < day < -180 for day in days)


def test_a_document_without_its_patient_is_set_aside(tmp_path):
    path = write(
        tmp_path / "in.jsonl", [gold("1", "rien"), gold("2", "rien", patient="a"), gold("3", "x", patient=" ")]
    )
    chosen = options(policy=Policy(consistent="patient", patient_field="patient"))
    report = pseudonymise_files([path], tmp_path / "out.jsonl", options=chosen)
    assert (report.documents, report.errors) == (1, 2)


def test_tags_are_numbered_by_identity(tmp_path):
    text = "Mme DUPONT le 12/03/2019. Dupont revient le 13/03/2019, tél. 04 72 11 22 33. Dr Martin"
    path = write(tmp_path / "in.jsonl", [Document("1", text)])
    pseudonymise_files([path], tmp_path / "out.jsonl", options=options(policy=Policy(tags=True)))
    (record,) = lines(tmp_path / "out.jsonl")
    assert record["text"] == "Mme <NOM_1> le <DATE_1>. <NOM_1> revient le <DATE_2>, tél. <TEL_1>. Dr <NOM_2>"
    pseudonymise_files([path], tmp_path / "out.jsonl", options=options(policy=Policy(tags=True, consistent="corpus")))
    (record,) = lines(tmp_path / "out.jsonl")
    tags = record["text"].replace("Mme ", "").split(". ")[0]
    assert tags.startswith("<NOM_") and len(tags.split(" ")[0]) == len("<NOM_12345678>")


def test_the_mapping_restores_the_text(notes, tmp_path):
    pseudonymise_files([notes], tmp_path / "out.jsonl", options=options(mapping=tmp_path / "m"))
    originals = {document.id: document.text for document in read_jsonl(notes)}
    texts = {document.id: document.text for document in read_jsonl(tmp_path / "out.jsonl")}
    for record in read_mapping(tmp_path / "m", Lock(SECRET)):
        text = texts[record["id"]]
        for span in reversed(record["spans"]):
            text = text[: span["start"]] + span["original"] + text[span["end"] :]
        assert text == originals[record["source_id"]]


def test_no_mapping_is_left_on_the_disk_unless_asked_for(notes, tmp_path):
    pseudonymise_files([notes], tmp_path / "out.jsonl", options=options())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes.jsonl", "out.jsonl", "out.jsonl.run.json"]
    for path in tmp_path.iterdir():
        assert path == notes or b"DUVALA" not in path.read_bytes()


def interrupted(notes, tmp_path, monkeypatch):
    """Run with a mapping, stopped after two parts; return the bytes of a run that was not."""
    monkeypatch.setattr(run, "PART_DOCUMENTS", 7)
    chosen = options(mapping=tmp_path / "m")
    pseudonymise_files([notes], tmp_path / "whole.jsonl", options=options())
    commit, done = Journal.commit, []

    def stop(self, *arguments):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(1)
        commit(self, *arguments)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Journal, "commit", stop)
        pseudonymise_files([notes], tmp_path / "out.jsonl", options=chosen)
    return (tmp_path / "whole.jsonl").read_bytes()


def test_a_killed_run_goes_on_to_the_same_bytes_and_a_whole_mapping(notes, tmp_path, monkeypatch):
    whole = interrupted(notes, tmp_path, monkeypatch)
    for path in (tmp_path / "out.jsonl.parts").iterdir():
        assert b"DUVALA" not in path.read_bytes()
    pseudonymise_files([notes], tmp_path / "out.jsonl", options=options(mapping=tmp_path / "m", resume=True))
    assert (tmp_path / "out.jsonl").read_bytes() == whole
    assert [record["id"] for record in read_mapping(tmp_path / "m", Lock(SECRET))] == [str(n) for n in range(40)]


def test_a_run_is_not_resumed_with_another_key_or_policy(notes, tmp_path, monkeypatch):
    """Half of the output would call a person by one name and half by another."""
    interrupted(notes, tmp_path, monkeypatch)
    for changes in ({"key": Secret(b"x" * 32)}, {"policy": Policy(tags=True)}):
        with pytest.raises(JournalError):
            chosen = options(mapping=tmp_path / "m", resume=True, **changes)
            pseudonymise_files([notes], tmp_path / "out.jsonl", options=chosen)
    with pytest.raises(KeyFileError, match="--resume needs --key"):
        options(key=None, resume=True)


def test_a_lost_piece_of_the_mapping_stops_the_end(notes, tmp_path, monkeypatch):
    interrupted(notes, tmp_path, monkeypatch)
    next((tmp_path / "out.jsonl.parts").glob("*.mapping")).unlink()
    with pytest.raises(MappingError, match="without --resume"):
        pseudonymise_files([notes], tmp_path / "out.jsonl", options=options(mapping=tmp_path / "m", resume=True))
    assert not (tmp_path / "m").exists()


def test_other_forms_carry_the_text(notes, tmp_path):
    import pyarrow.parquet as pq

    pseudonymise_files([notes], tmp_path / "out.jsonl", options=options())
    texts = [record["text"] for record in lines(tmp_path / "out.jsonl")]
    pseudonymise_files([notes], tmp_path / "out.parquet", options=options())
    assert pq.read_table(tmp_path / "out.parquet")["text"].to_pylist() == texts
    pseudonymise_files([notes], tmp_path / "brat", options=options(to="brat"))
    assert (tmp_path / "brat" / "0.txt").read_bytes().decode() == texts[0]
    for to in ("csv", "omop", "parquet"):
        with pytest.raises(OutputError, match="without the texts"):
            pseudonymise_files([notes], tmp_path / "x", options=options(to=to))


def test_inputs_with_and_without_entities_are_not_mixed_silently(notes, tmp_path):
    note = tmp_path / "note.txt"
    note.write_text("Mme Dupont")
    with pytest.raises(InputError, match="--drop-entities"):
        pseudonymise_files([note, notes], tmp_path / "out.jsonl", options=options())
    pseudonymise_files([note, notes], tmp_path / "out.jsonl", options=options(drop_entities=True))
    assert not any(record["entities"] for record in lines(tmp_path / "out.jsonl"))


def test_marks_stand_on_the_surrogates(notes, tmp_path):
    pseudonymise_files([notes], tmp_path / "o.jsonl", options=options(drop_entities=True, policy=Policy(mark=True)))
    for record in lines(tmp_path / "o.jsonl"):
        assert {"SECU", "TEL", "MAIL"} <= {entity["label"] for entity in record["entities"]}


def test_choices_that_do_not_go_together(notes, tmp_path):
    with pytest.raises(InputError, match="--patient-field"):
        options(policy=Policy(consistent="patient"))
    with pytest.raises(InputError, match="--consistent"):
        options(policy=Policy(consistent="ward"))
    with pytest.raises(MappingError, match="nobody could open it"):
        pseudonymise_files([notes], tmp_path / "o.jsonl", options=options(key=None, mapping=tmp_path / "m"))
    with pytest.raises(OutputError, match="half a mapping"):
        pseudonymise_files([notes], None, options=options(mapping=tmp_path / "m"))
    with pytest.raises(MappingError, match="another file"):
        pseudonymise_files([notes], tmp_path / "o.jsonl", options=options(mapping=notes))
    assert not (tmp_path / "o.jsonl").exists()


def test_a_student_of_other_labels_is_refused(notes, tmp_path, request):
    folder = request.getfixturevalue("student_folder")
    with pytest.raises(StudentError, match="CHEM, DISO"):
        pseudonymise_files([notes], tmp_path / "o.jsonl", folder, options(rules_only=False))


@pytest.fixture(scope="session")
def student_folder(tmp_path_factory):
    from tests.carabin.tiny_model import write_student

    return write_student(tmp_path_factory.mktemp("umls") / "tiny")


def test_leaks_of_files(notes, student):
    student(*read_jsonl(notes))
    report = leaks_of_files([notes], options=options(rules_only=False))
    assert report.to_dict()["systems"]["student and rules"]["all"]["recall"] == 1
    with pytest.raises(InputError):
        leaks_of_files([notes.with_name("none.jsonl")], options=options())


def command(*arguments, data=b"", **environment):
    from os import environ

    call = [sys.executable, "-c", OFFLINE, "pseudonymise", *map(str, arguments)]
    return subprocess.run(call, input=data, capture_output=True, timeout=120, env={**environ, **environment})


def test_the_command_from_key_to_mapping(notes, tmp_path):
    """The whole way, as it is typed, with no network."""
    key, out, sealed = tmp_path / "k", tmp_path / "out.jsonl", tmp_path / "m"
    assert command("--new-key", key).returncode == 0
    words = {"CARABIN_PASSPHRASE": "quatre mots de passe"}
    done = command(notes, "--rules-only", "--key", key, "-o", out, "--mapping", sealed, "--passphrase", **words)
    assert done.returncode == 0 and b"40 documents" in done.stderr and b"DUVAL" not in done.stderr + done.stdout
    opened = command("--open-mapping", sealed, "--passphrase", **words)
    assert "DUVALA" in opened.stdout.decode() and len(opened.stdout.splitlines()) == 40
    leaks = command("--gold", notes, "--rules-only", "--leaks", tmp_path / "leaks.json")
    assert leaks.returncode == 0 and b"documents without a leak" in leaks.stderr
    assert json.loads((tmp_path / "leaks.json").read_text())["documents"] == 40


def test_the_command_says_in_one_line_what_is_wrong(notes, tmp_path):
    for arguments in (
        [notes, "--with", "stars", "--rules-only"], ["--rules-only"], [notes, "--key", tmp_path / "none"],
        [notes, "--rules-only", "--leaks", tmp_path / "l"],
    ):  # fmt: skip
        done = command(*arguments)
        assert done.returncode == 1 and done.stderr.count(b"\n") == 1 and done.stderr.startswith(b"carabin: "), (
            arguments
        )
    done = command("-", "--rules-only", data=b"Mme Dupont, vue le 12/03/2019")
    (record,) = [json.loads(line) for line in done.stdout.splitlines()]
    assert "Dupont" not in record["text"] and record["text"].startswith("Mme ")
