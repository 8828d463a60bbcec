"""What a student that writes does: read a text once, then write token by token, freely or within a constraint."""
