"""How the Hub's addresses are built: what precedes a repository's name tells its kind."""

from starlette.convertors import StringConvertor, register_url_convertor


class RepositoryKind(StringConvertor):
    """The first word after `/api/`."""

    regex = "models|datasets|spaces"


class PageKind(StringConvertor):
    """The first word of a page's path; a model's has none."""

    regex = "datasets|spaces"


# starlette looks the names up when a route is made, so whoever makes routes imports them from here.
register_url_convertor("repository_kind", RepositoryKind())
register_url_convertor("page_kind", PageKind())

REPOSITORY = "/api/{kind:repository_kind}/{namespace}/{name}"
MODEL_PAGE = "/{namespace}/{name}"
OTHER_PAGE = "/{kind:page_kind}/{namespace}/{name}"


def type_prefix(kind: str) -> str:
    """Return what precedes the repository id in a page's path: nothing for a model, `datasets/`, `spaces/`."""
    return "" if kind == "model" else f"{kind}s/"
