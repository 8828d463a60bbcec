"""Golden perturbations: a change of any letter, place or draw shows here before it shows in a student's score.

`python tests/zoo/test_noise_golden.py` rewrites the file; read its difference before committing it.
"""

import json
import random
import time
from pathlib import Path

import pytest

from carabin.tokens.words import find_words
from zoo.noise import KINDS, carry_word_rows, perturb

GOLDEN = Path(__file__).with_name("test_noise_golden.json")
TEXTS = (
    "Patiente de 67 ans aux antécédents d'hypertension artérielle et de diabète de type 2, admise pour une embolie "
    "pulmonaire, traitée par apixaban 5 mg matin et soir.",
    "ATCD : HTA, DT2, BPCO.\nOAP fébrile ; CRP 120 mg/L, œdèmes des membres inférieurs.",
    "Inflammation difficile à affirmer, 10mg/j.",
)
CASES = [(kind, rate, text) for kind in KINDS for rate in (0.3, 1.0) for text in range(len(TEXTS))]


def perturbed(kind: str, rate: float, text: int) -> dict:
    noised = perturb(TEXTS[text], kind, rate, random.Random(f"{kind}{rate}{text}"))
    rows = carry_word_rows(find_words(noised.text), noised)
    return {"text": noised.text, "spans": noised.spans.tolist(), "rows": rows.tolist()}


@pytest.mark.parametrize(("kind", "rate", "text"), CASES)
def test_perturbations_are_the_golden_ones(kind, rate, text):
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    assert perturbed(kind, rate, text) == golden[f"{kind} {rate} {text}"]


def test_noise_is_fast_enough_to_be_made_while_training():
    windows, rng = 400, random.Random(1)
    start = time.process_time()
    for number in range(windows):
        perturb(TEXTS[0], tuple(KINDS)[number % len(KINDS)], 0.1, rng)
    assert windows / (time.process_time() - start) > 2000


if __name__ == "__main__":
    cases = (f'"{kind} {rate} {text}": ' + json.dumps(perturbed(kind, rate, text), ensure_ascii=False)
             for kind, rate, text in CASES)  # fmt: skip
    GOLDEN.write_text("{\n" + ",\n".join(cases) + "\n}\n", encoding="utf-8")
