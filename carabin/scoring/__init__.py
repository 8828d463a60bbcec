"""Scores and their intervals: the one implementation behind the lab's figures and a hospital's."""
