"""Token vectors from counts: what stands near what, factorised. Seconds of work on a CPU, no training.

Positive pointwise mutual information with smoothed contexts, cut to rank d by a randomised singular value
decomposition, symmetric weighting U S^(1/2): Levy and Goldberg (2014), Levy, Goldberg and Dagan (2015).
"""

from __future__ import annotations

import numpy as np
import scipy.sparse
from numpy.typing import NDArray
from sklearn.utils.extmath import randomized_svd

from zoo.registry.encoders import WordVectors


def count_neighbours(rows: NDArray[np.int32], vocabulary: int, window: int) -> scipy.sparse.csr_matrix:
    """Return how often each token stands near each other, the farther the less. Shape (vocabulary, vocabulary).

    Args:
        rows: Token ids, shape (n, length); neighbours are sought within a row.
        vocabulary: Number of token ids.
        window: Farthest distance counted; distance d weighs (window + 1 - d) / window.
    """
    total = scipy.sparse.csr_matrix((vocabulary, vocabulary), dtype=np.float32)
    for distance in range(1, min(window, rows.shape[1] - 1) + 1):
        left, right = rows[:, :-distance].ravel(), rows[:, distance:].ravel()
        weight = np.full(len(left), (window + 1 - distance) / window, dtype=np.float32)
        one_way = scipy.sparse.coo_matrix((weight, (left, right)), shape=(vocabulary, vocabulary)).tocsr()
        total = total + one_way + one_way.T
    return total


def positive_pmi(counts: scipy.sparse.csr_matrix, smoothing: float) -> scipy.sparse.csr_matrix:
    """Return max(0, log(p(a, b) / (p(a) p'(b)))); p' is proportional to the counts to the power `smoothing`."""
    pairs = counts.tocoo()
    left = np.asarray(counts.sum(axis=1)).ravel()
    right = np.asarray(counts.sum(axis=0)).ravel() ** smoothing
    right /= right.sum()
    information = np.log(pairs.data / (left[pairs.row] * right[pairs.col]))
    kept = information > 0
    return scipy.sparse.csr_matrix((information[kept], (pairs.row[kept], pairs.col[kept])), shape=counts.shape)


def token_vectors(
    rows: NDArray[np.int32], vocabulary: int, dimensions: int, recipe: WordVectors, seed: int
) -> NDArray[np.float32]:
    """Return one vector per token, shape (vocabulary, dimensions), their numbers' standard deviation `recipe.scale`.

    Tokens that stand near nothing (special ones, characters never seen) get small random vectors.
    """
    information = positive_pmi(count_neighbours(rows, vocabulary, recipe.window), recipe.smoothing)
    rank = min(dimensions, vocabulary - 1)
    left, strength, _ = randomized_svd(information, rank, n_iter=4, random_state=seed)
    vectors = np.zeros((vocabulary, dimensions))
    vectors[:, :rank] = left * np.sqrt(strength)
    lonely = ~vectors.any(axis=1)
    if not lonely.all():
        vectors *= recipe.scale / vectors[~lonely].std()
    random = np.random.default_rng(seed).normal(0.0, recipe.scale / 2, (int(lonely.sum()), dimensions))
    vectors[lonely] = random
    return vectors.astype(np.float32)
