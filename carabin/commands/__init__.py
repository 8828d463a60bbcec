"""One file per command of `carabin`: its options, its call, what it prints. The work is in the package."""
