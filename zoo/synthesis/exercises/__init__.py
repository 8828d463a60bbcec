"""Gold exercises on fictitious reports.

`stems.toml` holds how questions are asked, `terms.toml` what the knowledge base does not say of their answers.
"""

from zoo.synthesis.exercises.drafts import exercise_words, hash_exercises, list_stems, make_drafts

__all__ = ["exercise_words", "hash_exercises", "list_stems", "make_drafts"]
