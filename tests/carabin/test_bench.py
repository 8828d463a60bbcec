import json

import pytest

from carabin.bench import BenchError, bench, sample_notes, thread_counts
from carabin.bench_worker import NOTE_CHARACTERS, short_note
from carabin.energy import EnergyMeter
from carabin.engines.machine import cache_folder, peak_memory
from carabin.formats import InputError
from tests.carabin.test_cli import run


def write_zone(folder, name, kind, joules, most=1000.0):
    zone = folder / name
    zone.mkdir(parents=True)
    for file, value in (("energy_uj", joules * 1e6), ("max_energy_range_uj", most * 1e6)):
        (zone / file).write_text(f"{int(value)}\n")
    (zone / "name").write_text(f"{kind}\n")
    return zone


def test_the_energy_of_all_packages_is_counted_and_of_no_part_twice(tmp_path):
    # intel-rapl:0:0 (cores) is within intel-rapl:0, and psys holds both packages.
    zones = [write_zone(tmp_path, f"intel-rapl:{n}", f"package-{n}", 10.0) for n in (0, 1)]
    parts = [write_zone(tmp_path, "intel-rapl:0:0", "core", 10.0), write_zone(tmp_path, "intel-rapl:2", "psys", 10.0)]
    with EnergyMeter(powercap=tmp_path) as meter:
        for zone in (*zones, *parts):
            (zone / "energy_uj").write_text(str(12_500_000))
    assert (meter.joules, meter.estimate) == (5.0, False)
    assert "RAPL" in meter.source


def test_a_counter_that_began_again_at_zero_gives_no_negative_energy(tmp_path):
    zone = write_zone(tmp_path, "intel-rapl:0", "package-0", 990.0, most=1000.0)
    with EnergyMeter(powercap=tmp_path) as meter:
        (zone / "energy_uj").write_text(str(5_000_000))
    assert meter.joules == 15.0


@pytest.mark.parametrize("broken", ["nothing", "unreadable"])
def test_without_a_counter_energy_is_an_estimate_that_says_from_what(tmp_path, broken):
    if broken == "unreadable":
        (write_zone(tmp_path, "intel-rapl:0", "package-0", 1.0) / "energy_uj").write_text("secret")
    seconds = iter([100.0, 103.0, 0.0, 2.0])
    with EnergyMeter(powercap=tmp_path, processor_time=lambda: next(seconds)) as meter:
        pass
    assert (meter.joules, meter.estimate) == (12.0, True)
    assert "4 W a core (supposed" in meter.source
    with EnergyMeter(10.0, tmp_path, lambda: next(seconds)) as meter:
        pass
    assert meter.joules == 20.0
    assert "10 W a core (given)" in meter.source


def test_every_engine_and_number_of_threads_is_measured(student):
    steps = []
    report = bench(
        student, engines=["fp32"], seconds=0.1, documents=12, threads=[1, 2], on_step=lambda *s: steps.append(s)
    )
    assert [(m.engine, m.threads) for m in report.measures] == [("fp32", 1), ("fp32", 2)]
    assert steps == [("fp32, 1 thread", 0, 2), ("fp32, 2 threads", 1, 2)]
    assert report.best.documents_per_second == max(m.documents_per_second for m in report.measures)
    assert "no onnx/model_quantized.onnx" in report.left_out["int8"]
    for row in report.measures:
        assert 0 < row.p50_ms <= row.p95_ms
        assert 20e6 < row.peak_rss_bytes < 500e6
        assert row.wh_per_1000_documents > 0
    assert json.loads(json.dumps(report.to_dict()))["texts"]["fictitious"]


def test_the_table_says_what_is_best_and_what_is_estimated(student, tmp_path):
    notes = tmp_path / "notes.jsonl"
    notes.write_text('{"id": 1, "text": "fièvre"}\n{"id": 2, "text": " "}\n', encoding="utf-8")
    options = ("--model", student, "--engine", "openvino", "--threads", 1, "--seconds", 0.1)
    result = run("bench", notes, *options, "--json")
    record = json.loads(result.stdout)
    assert (result.returncode, record["texts"]["documents"], record["texts"]["fictitious"]) == (0, 1, False)
    assert record["best"]["engine"] == "openvino"
    shown = run("bench", notes, *options).stdout.decode()
    assert "best here: carabin annotate --engine openvino --threads 1" in shown
    assert "not measured, the student has no onnx/model_quantized.onnx" in shown
    estimated = record["best"]["energy_is_estimate"]
    assert ("(an ESTIMATE)" in shown) == estimated


@pytest.mark.parametrize(("engines", "cause"), [(["gpu"], "none of int8, fp32"), (["int8"], "model_quantized")])
def test_an_engine_that_cannot_be_measured_is_named(student, engines, cause):
    with pytest.raises(BenchError, match=cause):
        bench(student, engines=engines)


def test_notes_without_text_measure_nothing(student, tmp_path):
    (tmp_path / "notes.jsonl").write_text('{"id": 1, "text": " "}\n')
    with pytest.raises(InputError, match="no document with text"):
        bench(student, [tmp_path / "notes.jsonl"])


def test_a_measurement_that_fails_is_told_in_one_line(student, tmp_path):
    broken = tmp_path / "student"
    broken.mkdir()
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        (broken / name).write_bytes((student / name).read_bytes())
    (broken / "onnx").mkdir()
    (broken / "onnx" / "model.onnx").write_bytes(b"\x08\x09 no model")
    with pytest.raises(BenchError, match=r"engine 'fp32' with 1 threads failed \(.*model.onnx: "):
        bench(broken, engines=["fp32"], threads=[1])


def test_thread_counts_end_with_all_cores():
    assert [thread_counts(cores) for cores in (1, 2, 6, 8)] == [[1], [1, 2], [1, 2, 4, 6], [1, 2, 4, 8]]


def test_sample_notes_are_of_mixed_length_and_the_same_each_time():
    notes = sample_notes(20)
    assert notes == sample_notes(20)
    assert min(map(len, notes)) < 250 < 5000 < max(map(len, notes))


def test_a_short_note_is_a_beginning_that_ends_at_a_blank():
    assert short_note("court") == "court"
    note = short_note("mot " * 200)
    assert len(note) <= NOTE_CHARACTERS
    assert note.endswith("mot")
    assert short_note("x" * 900) == "x" * NOTE_CHARACTERS


def test_memory_and_cache_are_found(monkeypatch, tmp_path):
    assert 10e6 < peak_memory() < 100e9
    monkeypatch.setenv("CARABIN_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
