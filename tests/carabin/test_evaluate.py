"""`carabin evaluate`: a score of the wrong documents, or a record that carries a note out of the hospital."""

import json
import os
import subprocess
import sys

import pytest

from carabin.commands.evaluate import read_renames
from carabin.documents import Entity
from carabin.evaluate import EvaluateOptions, evaluate_agreement, evaluate_corrections, evaluate_model
from carabin.formats import InputError, ReadOptions
from carabin.scoring.ner_scores import score_spans

NOTE = "Le patient présente une fièvre aiguë, pas de dyspnée. Traitement par paracétamol."
FEVER, DYSPNEA, DRUG = (
    (NOTE.index(word), NOTE.index(word) + len(word), label)
    for word, label in (("fièvre aiguë", "DISO"), ("dyspnée", "DISO"), ("paracétamol", "CHEM"))
)
OPTIONS = EvaluateOptions(threads=1, resamples=50)


def write_gold(path, *documents):
    """Write documents as (id, spans, text)."""
    lines = []
    for identifier, spans, *text in documents:
        entities = [{"start": start, "end": end, "label": label} for start, end, label in spans]
        record = {"id": identifier, "text": text[0] if text else NOTE, "entities": entities}
        lines.append(json.dumps(record, ensure_ascii=False))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_brat(folder, *documents):
    folder.mkdir()
    for identifier, spans in documents:
        (folder / f"{identifier}.txt").write_text(NOTE, encoding="utf-8", newline="")
        lines = [f"T{n}\t{label} {s} {e}\t{NOTE[s:e]}\n" for n, (s, e, label) in enumerate(spans, 1)]
        (folder / f"{identifier}.ann").write_text("".join(lines), encoding="utf-8", newline="")
    return folder


def test_a_student_is_scored_as_the_lab_scores_it(student, annotator, tmp_path):
    gold = [("a", [FEVER, DRUG]), ("b", [(FEVER[0], FEVER[0] + 6, "DISO")]), ("c", [])]
    record = evaluate_model([write_gold(tmp_path / "gold.jsonl", *gold)], student, OPTIONS)
    found = [annotator(NOTE)] * 3
    spans = [[Entity(*span) for span in each] for _, each in gold]
    for metric, match in (("ner_exact_f1", "exact"), ("ner_overlap_f1", "overlap")):
        expected = score_spans(found, spans, match)
        assert record[metric]["value"] == pytest.approx(expected["f1"])
        for label, scores in expected["by_label"].items():
            assert record["by_label"][label][metric]["value"] == pytest.approx(scores["f1"])
    assert record["ner_exact_f1"]["low"] <= record["ner_exact_f1"]["value"] <= record["ner_exact_f1"]["high"]
    assert record["counts"] == [[2, 3, 2], [0, 3, 1], [0, 3, 0]]
    assert record["corrections"]["kept"] == 2
    assert record["gold"]["entities"] == record["entities"] == 3
    assert record["labels"] == ["CHEM", "DISO"]


def test_the_same_gold_in_another_form_has_the_same_scores(student, tmp_path):
    gold = [("a", [FEVER]), ("b", [DRUG, DYSPNEA])]
    lines = evaluate_model([write_gold(tmp_path / "gold.jsonl", *gold)], student, OPTIONS)
    brat = evaluate_model([write_brat(tmp_path / "brat", *gold)], student, OPTIONS)
    assert brat == lines


def test_nothing_of_a_note_is_in_the_record(student, tmp_path):
    gold = write_gold(tmp_path / "gold.jsonl", ("MRN-77", [FEVER, DRUG]))
    other = write_gold(tmp_path / "other.jsonl", ("MRN-77", [FEVER]))
    records = [
        evaluate_model([gold], student, OPTIONS),
        evaluate_agreement([gold], [other], OPTIONS),
        evaluate_corrections([other], [gold], OPTIONS),
    ]
    for text in map(json.dumps, records):
        assert not any(word in text for word in ("fi\\u00e8vre", "fièvre", "paracétamol", "patient", "MRN-77"))
    named = evaluate_model([gold], student, EvaluateOptions(threads=1, resamples=20, document_ids=True))
    assert named["corrections"]["documents"][0]["id"] == "MRN-77"


def test_one_label_studio_export_tells_what_people_changed_in_its_predictions(tmp_path):
    """Its predictions on both sides would say that nobody ever changes anything."""

    def results(*spans):
        return [{"type": "labels", "value": {"start": s, "end": e, "labels": [label]}} for s, e, label in spans]

    task = {"data": {"id": "a", "text": NOTE}, "annotations": [{"result": results(FEVER, DYSPNEA)}]}
    task["predictions"] = [{"result": results(DRUG)}, {"result": results(FEVER, DRUG)}]
    export = tmp_path / "export.json"
    export.write_text(json.dumps([task]), encoding="utf-8")
    options = EvaluateOptions(threads=1, resamples=20, reading=ReadOptions(predictions=True))
    corrections = evaluate_corrections([export], [export], options)["corrections"]
    assert (corrections["kept"], corrections["added"], corrections["deleted"]) == (1, 1, 1)
    agreement = evaluate_agreement([export], [export], options)
    assert agreement["counts"] == [[1, 2, 2]]


def test_labels_of_ones_own_are_renamed_left_out_or_refused(student, tmp_path):
    own = [(FEVER[0], FEVER[1], "MALADIE"), (DRUG[0], DRUG[1], "CHEM"), (0, 2, "AGE")]
    gold = [write_gold(tmp_path / "gold.jsonl", ("a", own))]
    with pytest.raises(InputError, match=r"label 'AGE', 'MALADIE' is none of the student's .* --map 'AGE=CHEM'"):
        evaluate_model(gold, student, OPTIONS)
    options = EvaluateOptions({"MALADIE": "DISO", "AGE": ""}, threads=1, resamples=20)
    record = evaluate_model(gold, student, options)
    assert record["counts"] == [[2, 3, 2]]
    assert record["gold"]["left_out"] == {"AGE": 1}
    only = evaluate_model(gold, student, EvaluateOptions(only=["CHEM"], threads=1, resamples=20))
    assert only["counts"] == [[1, 1, 1]]
    assert only["gold"]["left_out"] == {"AGE": 1, "MALADIE": 1}
    # What is left out of the gold is left out of the answer too, unless another label takes its name.
    without = evaluate_model(
        gold, student, EvaluateOptions({"AGE": "", "MALADIE": "", "DISO": ""}, threads=1, resamples=20)
    )
    assert (without["counts"], without["labels"]) == ([[1, 1, 1]], ["CHEM"])
    swapped = EvaluateOptions({"AGE": "", "DISO": "", "MALADIE": "DISO"}, threads=1, resamples=20)
    assert evaluate_model(gold, student, swapped)["counts"] == [[2, 3, 2]]
    for wrong in (EvaluateOptions({"AGE": "NOM"}), EvaluateOptions(only=["NOM"])):
        with pytest.raises(InputError, match="label 'NOM': not one of this student"):
            evaluate_model(gold, student, wrong)


def test_nested_gold_is_flattened_and_said(student, tmp_path):
    inner = (FEVER[0], FEVER[0] + 6, "DISO")
    record = evaluate_model(
        [write_gold(tmp_path / "gold.jsonl", ("a", [FEVER, inner, DRUG, DYSPNEA]))], student, OPTIONS
    )
    assert record["gold"]["nested_dropped"] == 1
    assert record["counts"] == [[3, 3, 3]]


def test_thresholds_drop_what_the_student_is_unsure_of(student, tmp_path):
    gold = [write_gold(tmp_path / "gold.jsonl", ("a", [FEVER, DRUG]))]
    record = evaluate_model(gold, student, EvaluateOptions(thresholds={"DISO": 1.0}, threads=1, resamples=20))
    assert record["counts"] == [[1, 1, 2]]
    with pytest.raises(InputError, match="without fitted thresholds"):
        evaluate_model(gold, student, EvaluateOptions(calibrated=True))


def test_what_cannot_be_scored_is_set_aside_and_the_rest_scored(student, tmp_path):
    path = write_gold(tmp_path / "gold.jsonl", ("a", [FEVER]), ("a", [DRUG]), ("b", [(0, 9999, "DISO")]), ("c", [DRUG]))
    problems = []
    record = evaluate_model([path], student, OPTIONS, on_error=problems.append)
    assert record["gold"]["set_aside"] == len(problems) == 2
    assert record["documents"] == 2
    assert "met before" in problems[0].cause
    assert not any("fièvre" in problem.cause for problem in problems)
    with pytest.raises(InputError, match="no annotation to score against"):
        evaluate_model([write_gold(tmp_path / "bare.jsonl", ("a", []))], student, OPTIONS)
    with pytest.raises(InputError, match="no document that can be scored; 1 were set aside"):
        evaluate_model([write_gold(tmp_path / "bad.jsonl", ("a", [(0, 9999, "DISO")]))], student, OPTIONS)


def test_two_annotators_are_paired_by_id_and_by_text(tmp_path):
    one = write_gold(tmp_path / "one.jsonl", ("a", [FEVER, DRUG]), ("b", [DRUG]), ("c", [FEVER]), ("d", [FEVER]))
    two = write_gold(
        tmp_path / "two.jsonl", ("e", []), ("c", [FEVER], NOTE + " "), ("b", [DRUG]), ("a", [FEVER, DYSPNEA])
    )
    problems = []
    record = evaluate_agreement([one], [two], OPTIONS, on_error=problems.append)
    assert record["pairing"] == {"both": 2, "only_first": 1, "only_second": 1, "other_text": 1}
    assert record["counts"] == [[1, 2, 2], [1, 1, 1]]
    assert "its text is another" in problems[0].cause
    assert 0 < record["agreement"]["kappa_words"]["value"] < 1
    swapped = evaluate_agreement([two], [one], OPTIONS)
    assert swapped["ner_exact_f1"]["value"] == record["ner_exact_f1"]["value"]
    assert swapped["agreement"]["kappa_words"]["value"] == pytest.approx(record["agreement"]["kappa_words"]["value"])


def test_annotations_of_other_documents_are_not_compared(tmp_path):
    one = write_gold(tmp_path / "one.jsonl", ("a", [FEVER]))
    with pytest.raises(InputError, match="no document in common; documents are matched by id"):
        evaluate_agreement([one], [write_gold(tmp_path / "two.jsonl", ("b", [FEVER]))], OPTIONS)


def test_corrections_are_counted_from_the_pre_annotation_to_the_gold(tmp_path):
    inner = (FEVER[0], FEVER[0] + 6, "DISO")
    before = write_gold(tmp_path / "before.jsonl", ("a", [FEVER, DYSPNEA]), ("b", [DRUG]))
    corrected = write_gold(tmp_path / "after.jsonl", ("b", [DRUG]), ("a", [FEVER, inner, DRUG]))
    record = evaluate_corrections([before], [corrected], OPTIONS)
    changes = record["corrections"]
    # Nested gold is not flattened: somebody added it.
    assert {kind: changes[kind] for kind in ("kept", "moved", "deleted", "added")} == {
        "kept": 2, "moved": 0, "deleted": 1, "added": 2,
    }  # fmt: skip
    assert changes["by_label"]["CHEM"] == {
        "kept": 1, "relabelled": 0, "moved": 0, "replaced": 0, "deleted": 0, "added": 1,
    }  # fmt: skip
    assert [document["edits"] for document in changes["documents"]] == [0, 3]


def carabin(*arguments):
    command = [sys.executable, "-m", "carabin", "evaluate", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=120, env={**os.environ})


def test_the_command_prints_tables_and_writes_the_record(student, tmp_path):
    gold = write_gold(tmp_path / "gold.jsonl", ("a", [FEVER, DRUG]), ("b", [(0, 9999, "DISO")]))
    out, errors = tmp_path / "record.json", tmp_path / "errors.jsonl"
    result = carabin(gold, "--model", student, "--json", out, "--errors", errors)
    assert result.returncode == 3, result.stderr
    assert all(
        text in result.stdout for text in ("exact F1", "CHEM", "what a corrector would have to do", "1 documents")
    )
    record = json.loads(out.read_text(encoding="utf-8"))
    assert (record["kind"], record["documents"]) == ("model", 1)
    assert len(errors.read_text(encoding="utf-8").splitlines()) == 1
    assert "fièvre" not in result.stdout + result.stderr + out.read_text(encoding="utf-8")


def test_the_command_doubts_a_label_that_is_nowhere_in_the_gold(student, tmp_path):
    result = carabin(write_gold(tmp_path / "gold.jsonl", ("a", [DRUG])), "--model", student)
    assert "no DISO in the gold: the 2 found count as wrong" in result.stdout
    assert "--map 'DISO='" in result.stdout


def test_the_command_compares_annotators_and_counts_corrections(tmp_path):
    gold = write_gold(tmp_path / "gold.jsonl", ("a", [FEVER, DRUG]))
    other = write_gold(tmp_path / "other.jsonl", ("a", [FEVER]))
    agreement = carabin(gold, "--against", other, "--json", "-")
    assert json.loads(agreement.stdout)["kind"] == "agreement"
    assert "kappa_words: " in carabin(gold, "--against", other).stdout
    corrections = carabin(gold, "--preannotated", other)
    assert "100.0 % of 1 pre-annotated spans kept; 0 of 1 documents untouched" in corrections.stdout, corrections.stderr


def test_what_does_not_go_together_is_one_line(student, tmp_path):
    gold = write_gold(tmp_path / "gold.jsonl", ("a", [FEVER]))
    extras = (
        ["--against", gold, "--model", student], ["--against", gold, "--threshold", "0.5"],
        ["--against", gold, "--json", gold], ["--against", gold, "--json", tmp_path],
    )  # fmt: skip
    before = gold.read_bytes()
    for extra in extras:
        result = carabin(gold, *extra)
        assert (result.returncode, result.stderr.count("\n"), result.stdout) == (1, 1, "")
        assert gold.read_bytes() == before
    assert read_renames(["A=B", "C="]) == {"A": "B", "C": ""}
    for value in ("A", "=B"):
        with pytest.raises(InputError, match="expected OLD=NEW"):
            read_renames([value])
