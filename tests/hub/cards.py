"""What the Hub reads in a card: the YAML between the two `---` lines at the top of README.md."""

import json
import re
from typing import Any

import yaml

LICENCES = frozenset(
    """apache-2.0 mit openrail bigscience-openrail-m creativeml-openrail-m bigscience-bloom-rail-1.0
    bigcode-openrail-m afl-3.0 artistic-2.0 bsl-1.0 bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear c-uda cc cc0-1.0
    cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0
    cc-by-nd-4.0 cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cdla-sharing-1.0
    cdla-permissive-1.0 cdla-permissive-2.0 wtfpl ecl-2.0 epl-1.0 epl-2.0 etalab-2.0 eupl-1.1 eupl-1.2 agpl-3.0 gfdl
    gpl gpl-2.0 gpl-3.0 lgpl lgpl-2.1 lgpl-3.0 isc lppl-1.3c ms-pl mpl-2.0 odc-by odbl osl-3.0 postgresql ofl-1.1
    ncsa unlicense zlib pddl unknown other gemma llama2 llama3""".split()
)
"""The identifiers that the Hub accepts as `license`."""

BASE_MODEL_RELATIONS = ("adapter", "merge", "quantized", "finetune")


def front_matter(card: str) -> str | None:
    """Return the YAML text at the top of a card, None when there is none."""
    found = re.match(r"\s*---[ \t]*\r?\n(.*?)\r?\n---[ \t]*(?:\r?\n|$)", card, re.DOTALL)
    return found[1] if found else None


def as_list(value: object) -> list[Any]:
    """Return a card's field as a list: many fields take one value or several."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def card_problems(card: str) -> tuple[list[str], list[str]]:
    """Return the errors and the warnings that the Hub has about a card's metadata."""
    text = front_matter(card)
    if text is None:
        return [], ["empty or missing yaml metadata in repo card"]
    try:
        metadata = yaml.safe_load(text)
    except yaml.YAMLError as error:
        return [str(error)], []
    if metadata is None:
        return [], ["empty or missing yaml metadata in repo card"]
    if not isinstance(metadata, dict):
        return ["metadata must be a mapping"], []
    errors = []
    if not isinstance(metadata.get("model-index", []), list):
        errors.append('"model-index" must be an array')
    if any(licence not in LICENCES for licence in as_list(metadata.get("license"))):
        errors.append(f'"license" must be one of [{", ".join(sorted(LICENCES))}]')
    if metadata.get("base_model_relation", "finetune") not in BASE_MODEL_RELATIONS:
        errors.append(f'"base_model_relation" must be one of [{", ".join(BASE_MODEL_RELATIONS)}]')
    return errors, []


def read_metadata(card: str) -> dict[str, Any]:
    """Return a card's metadata as plain JSON values, empty when it is missing or broken."""
    try:
        metadata = yaml.safe_load(front_matter(card) or "")
    except yaml.YAMLError:
        return {}
    # Dates and the like become text, as in the Hub's JSON.
    return json.loads(json.dumps(metadata, default=str)) if isinstance(metadata, dict) else {}


def card_tags(metadata: dict[str, Any]) -> list[str]:
    """Return the tags that the Hub derives from a card, in its order and without repeats."""
    tags = [
        value
        for field in ("library_name", "pipeline_tag", "tags", "language")
        for value in as_list(metadata.get(field))
    ]
    tags += [f"license:{value}" for value in as_list(metadata.get("license"))]
    tags += [f"dataset:{value}" for value in as_list(metadata.get("datasets"))]
    tags += [f"base_model:{value}" for value in as_list(metadata.get("base_model"))]
    return list(dict.fromkeys([*tags, "region:us"]))
