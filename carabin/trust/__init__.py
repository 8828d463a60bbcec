"""What a student must be before anything in it is opened, and where it may come from."""
