"""Teachers and students: one train_<family>.py per family, and the distillation library they order."""
