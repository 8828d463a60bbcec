"""Search over an engine whose scores depend on the source and on every token written, so that no mix-up passes."""

from dataclasses import dataclass, field
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carabin.generation.decoding import Generated, Limits, SpecialTokens, generate
from carabin.generation.limits import log_softmax

VOCABULARY = 6
END = 1


@dataclass
class Oracle:
    """Scores drawn from the source's number and the whole text so far; counts the rows of each step."""

    seed: int = 0
    vocabulary: int = VOCABULARY
    steps: list[int] = field(default_factory=list)

    def logits(self, source: int, text: tuple[int, ...]) -> np.ndarray:
        return np.random.default_rng([self.seed, source, *text]).normal(size=self.vocabulary).astype(np.float32) * 2

    def write(self, sources):
        return _Texts(self, [int(source) for source in sources], [()] * len(sources))


@dataclass
class _Texts:
    oracle: Oracle
    sources: list[int]
    texts: list[tuple[int, ...]]

    def step(self, tokens):
        assert tokens.shape[0] == len(self.texts) and tokens.dtype == np.int64
        self.texts = [text + tuple(row) for text, row in zip(self.texts, tokens.tolist(), strict=True)]
        self.oracle.steps.append(len(self.texts))
        return np.stack([self.oracle.logits(*pair) for pair in zip(self.sources, self.texts, strict=True)])

    def keep(self, rows):
        return _Texts(self.oracle, [self.sources[row] for row in rows], [self.texts[row] for row in rows])


@dataclass(frozen=True)
class Stairs:
    """Allows the token just above or below the last, and an end after `least` tokens at an even one."""

    last: int
    least: int
    count: int = 0

    def allowed(self):
        around = [token for token in (self.last - 1, self.last + 1) if 2 <= token < VOCABULARY]
        return np.array(around + ([END] if self.count >= self.least and self.last % 2 == 0 else []))

    def advance(self, token):
        assert token in self.allowed() and token != END
        return Stairs(token, self.least, self.count + 1)


class Free:
    """Allows anything."""

    def allowed(self):
        return None

    def advance(self, token):
        return self


def score(oracle: Oracle, source: int, prompt: tuple[int, ...], text: tuple[int, ...]) -> float:
    """Return the sum of the log-probabilities of a text after its prompt, one token at a time."""
    whole, total = (0, *prompt), 0.0
    for token in text:
        total += float(log_softmax(oracle.logits(source, whole)[None])[0, token])
        whole = (*whole, token)
    return total


def climb(oracle: Oracle, source: int, prompt: tuple[int, ...], longest: int) -> list[int]:
    """Greedy search, written as one would explain it."""
    text = list(prompt)
    for _ in range(longest):
        token = int(oracle.logits(source, (0, *text)).argmax())
        if token == END:
            break
        text.append(token)
    return text


@pytest.mark.parametrize("prompt", [(), (3,), (4, 2, 5)])
@pytest.mark.parametrize("seed", range(5))
def test_greedy_texts_are_those_of_each_alone(seed, prompt):
    oracle, which = Oracle(seed), np.array([4, 0, 0, 7, 2])
    texts = generate(oracle, which, [prompt] * 5, Limits(12))
    assert [text.tokens.tolist() for text in texts] == [climb(oracle, int(source), prompt, 12) for source in which]
    for source, text in zip(which, texts, strict=True):
        written = (*text.tokens[len(prompt) :].tolist(), *([END] if text.finished else []))
        assert text.score == pytest.approx(score(oracle, int(source), prompt, written) / len(written), abs=1e-5)
        assert text.finished or len(text.tokens) == len(prompt) + 12


def test_finished_texts_leave_and_the_last_one_stops_the_loop():
    oracle = Oracle(3)
    texts = generate(oracle, np.arange(30), [], Limits(40))
    lengths = [len(text.tokens) + text.finished for text in texts]
    assert oracle.steps == [sum(length > step for length in lengths) for step in range(max(lengths))]
    assert len(set(lengths)) > 4


@pytest.mark.parametrize("penalty", [0.0, 1.0])
@pytest.mark.parametrize("seed", range(4))
def test_beams_as_wide_as_all_texts_find_the_best_of_them(seed, penalty):
    """`length_penalty` 0 ranks by sums; with 1, a wide beam still must not end before longer texts had their turn."""
    oracle, longest = Oracle(seed, 4), 3
    (found,) = generate(oracle, np.array([5]), [[2]], Limits(longest, beams=4**longest, length_penalty=penalty))
    bodies = [body for size in range(longest + 1) for body in product((0, 2, 3), repeat=size)]
    texts = [(*body, END) if len(body) < longest else body for body in bodies]
    best = max(texts, key=lambda text: score(oracle, 5, (2,), text) / len(text) ** penalty)
    assert (*found.tokens[1:].tolist(), *([END] if found.finished else [])) == best
    assert found.score == pytest.approx(score(oracle, 5, (2,), best) / len(best), abs=1e-5)


def test_beams_of_several_texts_do_not_meet():
    """Each text's beams give what they give when it is written alone."""
    limits = Limits(10, beams=3)
    together = generate(Oracle(1), np.array([3, 8, 3, 5]), [], limits)
    alone = [generate(Oracle(1), np.array([source]), [], limits)[0] for source in (3, 8, 3, 5)]
    assert [text.tokens.tolist() for text in together] == [text.tokens.tolist() for text in alone]
    assert [text.score for text in together] == pytest.approx([text.score for text in alone])


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), beams=st.integers(1, 4), size=st.integers(1, 4), least=st.integers(0, 8))
def test_no_run_repeats_and_no_text_is_too_short(seed, beams, size, least):
    texts = generate(Oracle(seed, 9), np.arange(3), [[4]] * 3, Limits(14, least, beams, 1.0, size))
    for text in texts:
        tokens = [0, *text.tokens.tolist()]
        runs = [tuple(tokens[place : place + size]) for place in range(len(tokens) - size + 1)]
        # Once the guard has barred all, greedy search, as transformers', writes token 0.
        assert len(runs) == len(set(runs)) or (beams == 1 and size == 1)
        assert len(text.tokens) - 1 >= min(least, 14) or not text.finished


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), beams=st.integers(1, 5), least=st.integers(0, 6), size=st.integers(0, 2))
def test_a_constraint_holds_whatever_the_other_limits_say(seed, beams, least, size):
    places = [Stairs(2, 3), Stairs(3, 0), Stairs(5, 4)]
    texts = generate(
        Oracle(seed), np.arange(3), [[2], [3], [5]], Limits(9, least, beams, 1.0, size), constraints=places
    )
    for place, text in zip(places, texts, strict=True):
        for token in text.tokens[1:]:
            place = place.advance(int(token))
        assert not text.finished or END in place.allowed()


def test_limits_give_way_to_a_constraint_that_leaves_nothing_else():
    @dataclass(frozen=True)
    class Only:
        left: tuple[int, ...]

        def allowed(self):
            return np.array([self.left[0] if self.left else END])

        def advance(self, token):
            return Only(self.left[1:])

    for beams in (1, 3):
        limits = Limits(20, min_tokens=12, beams=beams, no_repeat_ngram=2)
        (text,) = generate(Oracle(), np.array([0]), [], limits, constraints=[Only((3, 4) * 4)])
        assert text.tokens.tolist() == [3, 4] * 4 and text.finished


def test_a_constraint_that_allows_anything_changes_nothing():
    for beams in (1, 3):
        free = generate(Oracle(2), np.arange(4), [], Limits(10, 2, beams, 1.0, 2))
        held = generate(Oracle(2), np.arange(4), [], Limits(10, 2, beams, 1.0, 2), constraints=[Free()] * 4)
        assert [text.tokens.tolist() for text in free] == [text.tokens.tolist() for text in held]


def test_other_special_tokens():
    special = SpecialTokens(start=5, end=3, pad=2)
    (text,) = generate(Oracle(), np.array([0]), [], Limits(50), special)
    expected, oracle = [], Oracle()
    while (token := int(oracle.logits(0, (5, *expected)).argmax())) != 3:
        expected.append(token)
    assert text.tokens.tolist() == expected and text.finished


def test_nothing_asked_is_nothing_written():
    oracle = Oracle()
    assert generate(oracle, np.array([], np.int64), [], Limits(5)) == [] and oracle.steps == []


@pytest.mark.parametrize(
    ("prompts", "constraints", "message"),
    [([[2], [2, 3]], None, "one length"), ([[2]], None, "1 prompts"), ([], [Free()], "1 constraints for 2 texts")],
)
def test_what_does_not_fit_together_is_refused(prompts, constraints, message):
    with pytest.raises(ValueError, match=message):
        generate(Oracle(), np.array([0, 1]), prompts, Limits(5), constraints=constraints)


@pytest.mark.parametrize("limits", [(0,), (5, 6), (5, -1), (5, 0, 0), (5, 0, 1, 1.0, -1)])
def test_limits_that_cannot_be_met_are_refused(limits):
    with pytest.raises(ValueError):
        Limits(*limits)


def test_the_texts_compared_differ():
    texts: list[Generated] = generate(Oracle(1), np.array([3, 8, 5]), [], Limits(10, beams=3))
    assert len({tuple(text.tokens.tolist()) for text in texts}) == 3
