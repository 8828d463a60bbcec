"""`python -m carabin`, where the command is not on the path."""

from carabin.cli import main

if __name__ == "__main__":
    main()
