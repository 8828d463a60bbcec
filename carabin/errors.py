"""The one kind of error that a user is shown word for word."""


class CarabinError(ValueError):
    """Names the thing, the cause and the way out, and never quotes a note."""
