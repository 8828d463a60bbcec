"""Pseudonymisation: identities found by a student and by rules, replaced by consistent fictitious ones.

`run.pseudonymise_files` is the job; `detection` finds, `surrogates` invents, `replacement` writes, `mapping` seals,
`leaks` measures.
"""
