"""Names that are known already: found in a text by its words, and put beside what a student finds."""
