"""The errors that a user is shown word for word."""


class CarabinError(ValueError):
    """Names the thing, the cause and the way out, and never quotes a note."""


class ModelError(CarabinError):
    """A folder that is not a student to be run, or not one to be trusted; the message says which file and why."""
