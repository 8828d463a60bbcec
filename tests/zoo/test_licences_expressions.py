"""SPDX expressions before the licence gate: operators, exceptions, spellings, and what is no expression at all."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.licences import LEVELS, default_policy
from zoo.licences.expressions import judge_expression


@pytest.mark.parametrize(
    ("spdx", "level"),
    [
        ("MIT AND CC-BY-NC-4.0", "research-only"),
        ("MIT OR CC-BY-NC-4.0", "open"),
        ("CC-BY-NC-4.0 OR LicenseRef-Gemma", "research-only"),
        ("MIT AND (Apache-2.0 OR CC-BY-NC-4.0)", "open"),
        ("MIT OR Apache-2.0 AND CC-BY-NC-4.0", "open"),
        ("(MIT OR Apache-2.0) AND CC-BY-NC-4.0", "research-only"),
        ("CC-BY-SA-4.0 AND CC-BY-NC-4.0 AND MIT", "research-only"),
        ("MIT AND LicenseRef-Unheard-Of", "refused"),
        ("LicenseRef-Unheard-Of OR CC-BY-SA-4.0", "share-alike"),
        ("Apache-2.0 WITH LLVM-exception", "open"),
        ("Apache-2.0 WITH Classpath-exception-2.0", "refused"),
        ("CC-BY-NC-4.0 WITH LLVM-exception", "refused"),
        ("MIT WITH commercial-use", "refused"),
        ("CC-BY-NC-4.0 WITH MIT", "refused"),
        ("mit", "open"),
        ("cc-by-nc-4.0", "research-only"),
        ("licenseref-gemma", "refused"),
        ("mit or cc-by-nc-4.0", "open"),
        ("mit and cc-by-nc-4.0", "research-only"),
        ("MITT", "refused"),
        ("Apache 2.0", "refused"),
        ("CC-BY-NC", "refused"),
        ("Appache-2.0", "refused"),
        ("LicenseRef-MIT-Discord", "refused"),
        ("LicenseRef-Apache-2.0", "refused"),
        ("GPL-3.0-only", "refused"),
        ("MIT, Apache-2.0", "refused"),
        ("MIT/Apache-2.0", "refused"),
        ("MIT AND", "refused"),
        ("MIT (CC-BY-NC-4.0)", "refused"),
        ("()", "refused"),
        ("(MIT", "refused"),
        ("MIT OR +", "refused"),
        ("MIT OR not CC-BY-NC-4.0", "refused"),
        ("\n", "refused"),
        ("MIT\nOR\nMIT", "open"),
    ],
)
def test_expressions(spdx, level):
    """A stricter licence must not hide behind an operator, a spelling, an exception or a library's alias."""
    assert judge_expression(spdx, ("text",), default_policy()).level == level


def test_an_or_names_its_choice_and_is_chosen_once():
    """The card must say under which of two licences the student was made, and it must be one for all methods."""
    policy = default_policy()
    assert "'MIT' chosen of" in judge_expression("CC-BY-NC-4.0 OR MIT", ("text",), policy).why
    ruling = judge_expression("LicenseRef-User-Agreement OR CC-BY-NC-4.0", ("text", "weights"), policy)
    assert ruling.level == "research-only"


def test_an_unknown_licence_says_what_is_near():
    """A misspelling is refused, and the author told of what."""
    assert "'Apache-2.0' is" in judge_expression("Appache-2.0", ("text",), default_policy()).why
    assert "does not weigh" in judge_expression("GPL-3.0-only", ("text",), default_policy()).why


@settings(max_examples=200, deadline=None)
@given(
    st.recursive(
        st.sampled_from(sorted(default_policy().licences)),
        lambda inner: st.tuples(inner, st.sampled_from(["AND", "OR"]), inner),
        max_leaves=6,
    )
)
def test_expressions_compose_as_min_and_max(tree):
    """Operator precedence and nesting must not change what OR and AND mean."""

    def written(node):
        return node if isinstance(node, str) else f"({written(node[0])} {node[1]} {written(node[2])})"

    def expected(node):
        if isinstance(node, str):
            return LEVELS.index(default_policy().licences[node].text)
        return (max if node[1] == "AND" else min)(expected(node[0]), expected(node[2]))

    assert LEVELS.index(judge_expression(written(tree), ("text",), default_policy()).level) == expected(tree)


@settings(max_examples=200, deadline=None)
@given(
    st.text(max_size=30)
    | st.lists(
        st.sampled_from(["(", ")", "AND", "OR", "WITH", "NOT", "MIT", "X-1", "+", ",", "0", "1", "\n", "|", "&"])
    ).map(" ".join)
)
def test_any_text_as_an_expression_is_a_ruling(text):
    """Garbage in a declaration is refused on one line; it does not end in a traceback."""
    ruling = judge_expression(text, ("text",), default_policy())
    assert ruling.level in LEVELS and "\n" not in ruling.why
