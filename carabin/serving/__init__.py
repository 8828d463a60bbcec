"""The HTTP service behind `carabin.serve`; needs the extra `carabin[serve]`."""
