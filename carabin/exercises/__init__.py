"""Exercises that train carers: what one is, the form a student writes it in, the forms teaching platforms import."""
