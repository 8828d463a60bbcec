"""Kappa: worked out by hand, since a plausible wrong one would license a bad annotation guide."""

import numpy as np
import pytest

from carabin.documents import Entity
from carabin.scoring.agreement import WordAgreement, kappa_of
from carabin.scoring.bootstrap import bootstrap_statistic

TEXT = "fièvre et toux sous aspirine"
FEVER, COUGH, ASPIRIN = Entity(0, 6, "DISO"), Entity(10, 14, "DISO"), Entity(20, 28, "CHEM")


def test_kappa_by_hand():
    # Cohen's own form: of 50 subjects both say yes to 20 and no to 15; p_o 0.7, p_e 0.5.
    assert kappa_of(np.asarray([[20.0, 5], [10, 15]])) == pytest.approx(0.4)
    assert kappa_of(np.asarray([[5.0, 0], [0, 5]])) == 1.0
    assert np.isnan(kappa_of(np.asarray([[5.0, 0], [0, 0]])))
    assert np.isnan(kappa_of(np.zeros((2, 2))))


def test_words_are_compared_by_their_label():
    words = WordAgreement()
    words.add(TEXT, [FEVER, COUGH, ASPIRIN], [FEVER, Entity(20, 28, "DISO")])
    record = words.summary(seed=1, resamples=50)
    assert record["words"] == 5
    # fièvre DISO/DISO, et -/-, toux DISO/-, sous -/-, aspirine CHEM/DISO: p_o 3/5, p_e (2*3 + 2*2 + 1*0) / 25.
    assert record["kappa_words"]["value"] == pytest.approx((3 / 5 - 10 / 25) / (1 - 10 / 25))
    # Without "et" and "sous": p_o 1/3, p_e (0*1 + 2*2 + 1*0) / 9.
    assert record["kappa_labelled_words"]["value"] == pytest.approx((1 / 3 - 4 / 9) / (1 - 4 / 9))
    assert record["kappa_words"]["n"] == 1


def test_documents_may_have_labels_of_their_own_and_no_words_at_all():
    words = WordAgreement()
    words.add(TEXT, [FEVER], [FEVER])
    words.add(TEXT, [ASPIRIN], [ASPIRIN])
    words.add("", [], [])
    record = words.summary(seed=1, resamples=50)
    assert record["words"] == 10
    assert record["kappa_words"]["value"] == pytest.approx(1.0)
    assert record["kappa_words"]["low"] == pytest.approx(1.0)


def test_where_kappa_is_not_defined_it_is_none_and_not_one():
    words = WordAgreement()
    words.add(TEXT, [], [])
    record = words.summary(seed=1, resamples=20)
    assert record["kappa_words"]["value"] is record["kappa_words"]["low"] is None
    assert record["kappa_labelled_words"]["value"] is None


def test_the_interval_is_drawn_over_documents():
    table = np.asarray([[1.0, 0], [0, 1]] * 10)
    result = bootstrap_statistic(table, lambda rows: rows[..., 0] / rows.sum(axis=-1), seed=3, resamples=400)
    assert result["value"] == 0.5
    assert 0.25 < result["low"] < 0.4 and 0.6 < result["high"] < 0.75
    assert (result["n"], result["unit"]) == (20, "document")
    with pytest.raises(ValueError, match="no documents"):
        bootstrap_statistic(np.zeros((0, 2)), lambda rows: rows[..., 0], seed=1)
