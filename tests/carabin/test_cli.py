import json
import os
import subprocess
import sys

import pytest
import typer.main

from carabin import __version__
from carabin.cli import app
from carabin.commands.options import read_thresholds
from carabin.commands.terminal import Progress
from carabin.formats import InputError
from carabin.formats.registry import WRITABLE
from tests.carabin.published_student import write_published
from tests.carabin.tiny_model import write_student
from tests.carabin.tiny_seq2seq import write_writing_student

SECRET = "Dupont fièvre"

# Every way to the network is shut in the process itself: the address functions raise, as does opening a socket.
OFFLINE = """
import socket, sys
def refuse(*arguments, **options):
    raise AssertionError("the network was asked for")
# A class still: ssl, which pyarrow imports to look for certificates, makes one of its own from it.
socket.socket = type("NoSocket", (socket.socket,), {"__init__": refuse})
socket.create_connection = socket.getaddrinfo = socket.socketpair = refuse
from carabin import cli
cli.main()
"""

IMPORTS = """
import sys
before = set(sys.modules)
{code}
rooms = {{name.partition(".")[0] for name in set(sys.modules) - before}}
print(" ".join(sorted(rooms)), file=sys.stderr)
"""


def run(*arguments, data=None, code=OFFLINE, **environment):
    environment = {**os.environ, **environment}
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, input=data, capture_output=True, env=environment, timeout=120)


def one_line(result, code):
    assert result.returncode == code, result.stderr.decode()
    text = result.stderr.decode()
    assert text.startswith("carabin: ")
    assert text.count("\n") == 1
    return text


def test_a_line_in_is_a_document_out_with_no_network(student):
    # LANG=C: a server without a locale must still write UTF-8.
    result = run("annotate", "-", "--model", student, data=f"{SECRET} aiguë\n".encode(), LC_ALL="C", PYTHONUTF8="0")
    assert (result.returncode, result.stderr) == (0, b"")
    record = json.loads(result.stdout.decode("utf-8"))
    assert [(e["label"], e["text"]) for e in record["entities"]] == [("DISO", "fièvre aiguë")]
    assert record["id"] == "1"


def test_documents_set_aside_are_listed_and_the_exit_code_says_so(student, tmp_path):
    data = b'{"id": "a", "text": "Dupont"}\n{"id": "b", "text": "Dupont \\u0000"}\n'
    result = run("annotate", "-", "--model", student, data=data)
    assert result.returncode == 3
    assert [json.loads(line)["id"] for line in result.stdout.splitlines()] == ["a"]
    assert result.stderr.decode().splitlines()[0].startswith("carabin: stdin:2: text: NUL at code point 7")
    assert b"Dupont" not in result.stderr
    errors = tmp_path / "errors.jsonl"
    result = run("annotate", "-", "--model", student, "--errors", errors, data=data)
    assert result.returncode == 3
    assert json.loads(errors.read_text())["id"] == "b"


def test_a_file_is_written_and_summed_up(student, tmp_path):
    note = tmp_path / "note.txt"
    note.write_text(SECRET, encoding="utf-8")
    result = run("annotate", note, "-o", tmp_path / "out.jsonl", "--model", student, "--threads", 1)
    assert result.returncode == 0
    assert result.stderr.decode() == f"1 documents, 1 entities -> {tmp_path / 'out.jsonl'}\n"
    assert result.stdout == b""


def test_version():
    result = run("--version")
    assert result.stdout.decode().strip() == f"carabin {__version__}"


@pytest.mark.parametrize(
    ("arguments", "code", "cause"),
    [
        (["annotate", "gone.txt"], 1, "gone.txt: no such file"),
        (["annotate", "-", "--model", "gone"], 1, "gone: no such folder"),
        (["annotate", "-", "--to", "xml"], 1, "output form 'xml' is unknown"),
        (["annotate", "-", "--to", "parquet"], 1, "standard output carries JSONL only"),
        (["annotate", "-", "--resume"], 1, "--resume needs an output file"),
        (["annotate", "-", "-"], 1, "only once"),
        (["annotate", "-", "--encoding", "utf-16"], 1, "utf-16"),
        (["annotate", "-", "--threshold", "much"], 1, "expected LABEL=0.5"),
        (["annotate"], 2, "INPUT"),
        (["annotate", "-", "--threads", "0"], 2, "threads"),
        (["annotate", "-", "--colour"], 2, "--colour"),
        (["anotate", "-"], 2, "anotate"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_an_exit_code(arguments, code, cause, tmp_path):
    assert cause in one_line(run(*arguments, data=b"x\n"), code)


def test_without_a_shipped_student_the_way_out_is_told(monkeypatch, tmp_path):
    code = f"import pathlib, carabin.student_folder as s; s.SHIPPED = pathlib.Path({str(tmp_path)!r})\n" + OFFLINE
    assert "--model DIR" in one_line(run("annotate", "-", data=b"x\n", code=code), 1)
    write_student(tmp_path / "bert-small")
    assert run("annotate", "-", data="fièvre\n".encode(), code=code).returncode == 0


def test_a_failure_never_quotes_a_note(student):
    code = (
        "from carabin.tokens import reader\n"
        "def fail(self, texts): raise KeyError(texts[0])\n"
        "reader.TextReader.read = fail\n" + OFFLINE
    )
    result = run("annotate", "-", "--model", student, data=SECRET.encode(), code=code)
    assert result.returncode == 3
    assert b"Dupont" not in result.stderr + result.stdout
    assert b"KeyError" in result.stderr
    code = (
        "from carabin.jobs.job import Job\n"
        "def fail(document, provenance): raise KeyError(document.text)\n"
        "made = Job.__init__\n"
        "def begin(self, *given, **named): made(self, *given, **named); object.__setattr__(self, 'line', fail)\n"
        "Job.__init__ = begin\n" + OFFLINE
    )
    result = run("annotate", "-", "--model", student, data=SECRET.encode(), code=code)
    assert "unexpected KeyError" in one_line(result, 1)
    assert b"Dupont" not in result.stderr


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")  # noqa: PTH110
def test_a_full_disk_is_one_line(student):
    with open("/dev/full", "wb") as full:  # noqa: PTH123
        command = [sys.executable, "-c", OFFLINE, "annotate", "-", "--model", str(student)]
        result = subprocess.run(command, input=b"x\n", stdout=full, stderr=subprocess.PIPE, timeout=60)
    assert result.returncode == 1
    assert b"No space left" in result.stderr
    assert b"Traceback" not in result.stderr


def gold_file(folder):
    path = folder / "gold.jsonl"
    record = {"id": "7", "text": SECRET, "entities": [{"start": 7, "end": 13, "label": "DISO"}]}
    path.write_text(json.dumps(record) + "\n", encoding="utf-8")
    return path


def printing_commands(folder, student):
    """Return how each command is run that prints on standard output, whatever prints it: we, typer or rich."""
    gold = gold_file(folder)
    bench = ["bench", gold, "--model", student, "--engine", "fp32", "--threads", 1, "--seconds", 0.1]
    return {
        "annotate": ["annotate", gold, "--model", student],
        "pseudonymise": ["pseudonymise", gold, "--rules-only"],
        "evaluate": ["evaluate", gold, "--model", student],
        "evaluate --json": ["evaluate", gold, "--model", student, "--json", "-"],
        "bench": bench,
        "bench --json": [*bench, "--json"],
        "verify": ["verify", write_published(folder / "published")],
        "--help": ["--help"],
        "--version": ["--version"],
    }


def with_stdout(stdout, *arguments, data=b"", **environment):
    command = [sys.executable, "-c", OFFLINE, *map(str, arguments)]
    environment = {**os.environ, **environment}
    return subprocess.run(
        command, input=data, stdout=stdout, stderr=subprocess.PIPE, env=environment, timeout=120, check=False
    )


@pytest.mark.parametrize(
    "command", ["annotate", "pseudonymise", "evaluate", "evaluate --json", "bench", "bench --json", "verify", "--help",
                "--version"],
)  # fmt: skip
def test_a_reader_that_has_enough_is_no_failure(student, tmp_path, command):
    """`| head -1` in a script that stops at failures: 1 would be a run that failed, 0 one that was read to its end."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as stdout:
        result = with_stdout(stdout, *printing_commands(tmp_path, student)[command])
    assert (result.returncode, result.stderr) == (141, b"")


def test_a_reader_that_has_enough_of_a_long_run_ends_it(student):
    command = [sys.executable, "-c", OFFLINE, "annotate", "-", "--model", str(student)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        _, stderr = process.communicate(b"fin\n" * 20_000, timeout=60)
    assert (process.returncode, stderr) == (141, b"")


@pytest.mark.parametrize(("error", "code"), [
    ("OSError(22, 'Invalid argument')", 141), ("OSError(22, 'Invalid argument', 'CHU?.jsonl')", 1),
    ("OSError(28, 'No space left on device')", 1),
])  # fmt: skip
def test_on_windows_too_a_reader_that_has_enough_is_no_failure(error, code):
    program = f"""
import sys
from carabin import cli
def app(**options):
    raise {error}
sys.platform, cli.app = "win32", app
cli.main()
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60, check=False)
    assert (result.returncode, bool(result.stderr)) == (code, code == 1)


@pytest.mark.parametrize("command", ["", "annotate", "evaluate", "pseudonymise", "bench", "serve", "pull", "verify"])
@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1"])
def test_help_prints_in_any_locale(command, encoding):
    # A character that the terminal lacks would end `--help` in a traceback.
    result = run(*command.split(), "--help", PYTHONIOENCODING=encoding)
    assert (result.returncode, result.stderr) == (0, b"")
    assert b"Usage: carabin" in result.stdout
    result = run(*command.split(), "--help", LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert (result.returncode, result.stderr) == (0, b"")


def test_a_message_with_what_a_terminal_lacks_is_still_one_line():
    assert "gone-" in one_line(run("annotate", "gone-é😀.txt", LC_ALL="C", PYTHONUTF8="0"), 1)


@pytest.mark.skipif(os.name == "nt", reason="Windows starts no process without standard output")
def test_without_standard_output_nothing_is_lost_in_silence(student, tmp_path):
    # What Python makes of `>&-`.
    code = "import os, sys\nos.close(1)\nsys.stdout = None\n" + OFFLINE
    assert "standard output is closed" in one_line(run("annotate", "-", "--model", student, data=b"x\n", code=code), 1)
    result = run("annotate", "-", "--model", student, "-o", tmp_path / "o.jsonl", data=b"x\n", code=code)
    assert result.returncode == 0


def test_interrupted_by_hand_says_how_to_go_on(student, tmp_path):
    code = (
        "from carabin import annotate\n"
        "def stop(*arguments, **options): raise KeyboardInterrupt\n"
        "annotate.annotate_files = stop\n" + OFFLINE
    )
    assert "--resume" in one_line(run("annotate", "-", "-o", tmp_path / "o.jsonl", data=b"x\n", code=code), 130)
    # Standard output cannot be taken up again.
    assert "--resume" not in one_line(run("annotate", "-", data=b"x\n", code=code), 130)
    code = code.replace("KeyboardInterrupt", "OSError(28, 'No space left on device')")
    message = one_line(run("annotate", "-", "-o", tmp_path / "o.jsonl", data=b"x\n", code=code), 1)
    assert "o.jsonl: No space left" in message
    assert "--resume" in message


def test_the_command_alone_prints_its_help():
    result = run()
    assert result.returncode == 2
    assert b"annotate" in result.stdout
    assert result.stderr == b""


def test_every_command_calls_a_shared_option_the_same():
    """Two commands with one option under two names or two explanations are two programs to learn."""
    commands = typer.main.get_command(app).commands
    told = {}
    for name, command in commands.items():
        for option in command.params:
            if option.name in {"model", "engine", "threads", "threshold", "text_column", "id_column", "encoding"}:
                told.setdefault(option.name, {}).setdefault((tuple(option.opts), option.help), []).append(name)
    # bench measures several at once; students that write have two engines, not four.
    apart = {"engine": (["bench"], ["summarise", "exercise"]), "threads": (["bench"],)}
    for option, ways in told.items():
        others = [names for names in ways.values() if names not in apart.get(option, ())]
        assert len(others) == 1, (option, others)
    assert "organisation/name@revision" in next(iter(told["model"]))[1]


def test_importing_carabin_loads_nothing_heavy():
    rooms = run(code=IMPORTS.format(code="import carabin, carabin.cli")).stderr.decode().split()
    assert not {"onnxruntime", "tokenizers", "numpy", "pyarrow", "rich"} & set(rooms)


def test_annotating_never_imports_the_lab(student):
    code = IMPORTS.format(
        code="from carabin import cli\ntry:\n    cli.main()\nexcept SystemExit as leave:\n    assert not leave.code"
    )
    result = run("annotate", "-", "--model", student, data=b"x\n", code=code)
    assert result.returncode == 0, result.stderr
    rooms = set(result.stderr.decode().split())
    assert {"onnxruntime", "tokenizers"} <= rooms
    lab = {"torch", "transformers", "datasets", "huggingface_hub", "zoo", "training", "evaluation", "export", "onnx"}
    assert not lab & rooms


@pytest.mark.parametrize(
    ("values", "expected"), [([], {}), (["0.5"], {"*": 0.5}), (["A=0.5", "B=1"], {"A": 0.5, "B": 1.0})]
)
def test_thresholds_are_read_by_label(values, expected):
    assert read_thresholds(values) == expected


@pytest.mark.parametrize("value", ["", "A", "A=", "A=b"])
def test_thresholds_of_another_form_are_refused(value):
    with pytest.raises(InputError, match="--threshold"):
        read_thresholds([value])


def test_progress_waits_two_seconds_and_wants_a_terminal(monkeypatch, capsys):
    with Progress() as progress:
        progress.update(5)
        assert progress.bar is None
        progress.began -= 10
        progress.update(6)
        assert progress.bar is None
        monkeypatch.setattr("sys.stderr.isatty", lambda: True)
        progress.update(7)
        assert progress.bar is not None


# Each list of arguments is run in the same process: importing everything anew would be most of the test.
SEVERAL = """
import json
commands = json.loads(sys.argv.pop())
for arguments in commands:
    sys.argv = ["carabin", *arguments]
    try:
        cli.main()
    except SystemExit as leave:
        assert not leave.code, arguments
"""
ONLINE = {"pull", "serve"}


@pytest.mark.parametrize(
    "use", ["socket.socket()", "socket.create_connection(('127.0.0.1', 9))", "socket.socketpair()"]
)
def test_the_sockets_are_shut(use):
    result = run(code=OFFLINE.replace("from carabin import cli\ncli.main()", use))
    assert b"the network was asked for" in result.stderr


def offline_commands(folder, student):
    """Return how each command is run that needs no network."""
    note = gold_file(folder)
    writer = write_writing_student(folder / "writer")
    report = folder / "report.txt"
    report.write_text(f"Motif :\n{SECRET}\nTraitement :\nDoliprane 1 g, 1 comprimé le soir.\n", encoding="utf-8")
    outs = [[note, "--to", form, "-o", folder / f"out-{form}", "--model", student] for form in WRITABLE]
    folders = ("brat", "cas", "xmi")
    ins = [[folder / f"out-{form}", "-o", folder / f"in-{form}.jsonl", "--model", student] for form in folders]
    return {
        "annotate": [*outs, *ins],
        "bench": [[note, "--model", student, "--engine", "fp32", "--threads", 1, "--seconds", 0.1]],
        "evaluate": [[note, "--model", student]],
        "exercise": [[report, "--model", writer, "-o", folder / "quiz.xml"]],
        "summarise": [[report, "--model", writer, "-o", folder / "conclusions.jsonl"]],
        "pseudonymise": [[note, "--rules-only", "-o", folder / "safe.jsonl"]],
        "verify": [[write_published(folder / "published")]],
    }


def test_every_offline_command_runs_with_all_sockets_shut(student, tmp_path):
    commands = offline_commands(tmp_path, student)
    registered = {command.name or command.callback.__name__ for command in app.registered_commands}
    assert registered - ONLINE == set(commands), "a new command: say above how it is run offline"
    lines = [[name, *map(str, arguments)] for name, runs in commands.items() for arguments in runs]
    result = run(json.dumps(lines), code=OFFLINE.replace("cli.main()", SEVERAL))
    assert result.returncode == 0, result.stderr.decode()
    assert b"Dupont" not in result.stderr
    assert len(list(tmp_path.glob("out-*.run.json"))) == len(WRITABLE)


def test_no_run_leaves_anything_at_home(student, tmp_path):
    """An identifier and a queue of onnxruntime's telemetry would begin there."""
    home = tmp_path / "home"
    home.mkdir()
    homes = {"HOME": str(home), "USERPROFILE": str(home), "LOCALAPPDATA": str(home), "XDG_CACHE_HOME": str(home)}
    result = run("annotate", "-", "--model", student, data=SECRET.encode(), ORT_DISABLE_TELEMETRY="0", **homes)
    assert result.returncode == 0, result.stderr
    assert [path for path in home.rglob("*") if path.is_file()] == []
