"""Reports: half of one that is taken for whole, a file where /dev/null was, an output lost behind /dev/stdout."""

import json
import os
import subprocess
import sys

import pytest

from carabin.annotate import JobOptions, annotate_files
from carabin.formats import OutputError
from carabin.outputs import ReportPlaceError, check_report_places, is_device, write_report
from carabin.pseudonyms.keys import Secret
from carabin.pseudonyms.mapping import MappingError
from carabin.pseudonyms.run import PseudonymOptions, pseudonymise_files

pytestmark = pytest.mark.skipif(os.name == "nt", reason="devices are no files there")


@pytest.fixture
def notes(tmp_path):
    path = tmp_path / "notes.jsonl"
    gold = [{"start": 7, "end": 13, "label": "DISO"}]
    records = [{"id": "7", "text": "Dupont fièvre", "entities": gold}, {"id": "8"}]
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def carabin(*arguments, stdout=subprocess.PIPE):
    command = [sys.executable, "-m", "carabin", *map(str, arguments)]
    return subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, timeout=120, check=False)


def test_a_report_that_fails_half_way_leaves_the_one_before(tmp_path):
    path = tmp_path / "report.json"
    write_report(path, "whole\n")
    with pytest.raises(UnicodeEncodeError):
        write_report(path, "half" * 10_000 + "\udc00")
    assert path.read_bytes() == b"whole\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_to_a_report_stays_a_link(tmp_path):
    (tmp_path / "latest.json").symlink_to(tmp_path / "2026.json")
    write_report(tmp_path / "latest.json", "x")
    assert (tmp_path / "latest.json").is_symlink()
    assert (tmp_path / "2026.json").read_text(encoding="utf-8") == "x"


def test_what_is_no_file_is_told_from_what_is(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    devices = ["/dev/null", "/dev/stdout", "/dev/stderr", "/dev/fd/2", "/dev/../dev/stdout", tmp_path / "pipe"]
    assert all(is_device(type(tmp_path)(path)) for path in devices)
    assert not any(map(is_device, [tmp_path, tmp_path / "new", tmp_path / "dev" / "stdout"]))


def test_a_report_is_never_written_over_what_is_read_nor_where_a_folder_is(tmp_path, notes):
    for outputs, cause in (([notes], "read and written"), ([tmp_path], "folder"), ([tmp_path / "a"] * 2, "at once")):
        with pytest.raises(ReportPlaceError, match=cause):
            check_report_places([str(notes)], outputs)


@pytest.mark.parametrize("redirected", [False, True])
def test_a_record_for_standard_output_stands_there_alone(student, notes, tmp_path, redirected):
    """Behind /dev/stdout may be a file: renamed over, it would keep the tables and lose the record."""
    with (tmp_path / "out.json").open("wb") as file:
        stdout = file if redirected else subprocess.PIPE
        arguments = ["evaluate", notes, "--model", student, "--json", "/dev/stdout", "--errors", os.devnull]
        result = carabin(*arguments, stdout=stdout)
    assert result.returncode == 3, result.stderr
    record = (tmp_path / "out.json").read_bytes() if redirected else result.stdout
    assert json.loads(record)["kind"] == "model"
    assert not os.path.isfile(os.devnull)  # noqa: PTH113
    assert not [path for path in os.listdir("/dev") if path.endswith(".new")]  # noqa: PTH208


def test_errors_go_to_standard_error_as_lines(student, notes, tmp_path):
    for arguments in (["evaluate", notes], ["annotate", notes], ["annotate", notes, "-o", tmp_path / "o.jsonl"]):
        result = carabin(*arguments, "--model", student, "--errors", "/dev/stderr")
        assert result.returncode == 3, result.stderr
        (line,) = [line for line in result.stderr.splitlines() if line.startswith(b"{")]
        assert json.loads(line)["id"] == "8"


def test_a_device_takes_errors_but_no_output_and_no_mapping(student, notes, tmp_path):
    null = type(tmp_path)(os.devnull)
    report = annotate_files([notes], tmp_path / "o.jsonl", student, JobOptions(errors=null))
    assert (report.documents, report.errors) == (1, 1)
    (tmp_path / "good.txt").write_text("fièvre", encoding="utf-8")
    annotate_files([tmp_path / "good.txt"], tmp_path / "o.jsonl", student, JobOptions(errors=null))
    annotate_files([tmp_path / "good.txt"], None, student, JobOptions(errors=null))
    assert is_device(null)
    with pytest.raises(OutputError, match="the documents go there"):
        annotate_files([notes], None, student, JobOptions(errors=type(tmp_path)("/dev/stdout")))
    for out in (null, type(tmp_path)("/dev/stdout")):
        with pytest.raises(OutputError, match="is a device or a pipe"):
            annotate_files([notes], out, student)
    options = PseudonymOptions(rules_only=True, key=Secret(b"k" * 32), mapping=null)
    with pytest.raises(MappingError, match="a device"):
        pseudonymise_files([notes], tmp_path / "p.jsonl", options=options)
