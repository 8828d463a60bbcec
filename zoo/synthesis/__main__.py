"""Show fictitious reports, or how new the test ones are.

python -m zoo.synthesis --split test --count 3 --seed 1 [--labels pii] [--jsonl]
python -m zoo.synthesis --novelty [--count 500] [--seed 1]
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from zoo.synthesis.generator import LABEL_SETS, generate_reports
from zoo.synthesis.knowledge import SPLITS
from zoo.synthesis.novelty import measure_novelty


def show_report(document: dict) -> str:
    """Return a document for the eye: spans in [surface|LABEL], conclusion and facts below."""
    text, shown, last = document["text"], [], 0
    for item in document["entities"]:
        shown += [text[last : item["start"]], f"[{text[item['start'] : item['end']]}|{item['label']}]"]
        last = item["end"]
    facts = "\n".join(f"    {fact['type']}: {fact['value']}" for fact in document["facts"])
    title = f"===== {document['id']} ({document['kind']}, {document['specialty']}, {document['scenario']})"
    return f"{title}\n{''.join(shown)}{text[last:]}\n--- facts\n{facts}\n"


def show_novelty(seed: int, count: int) -> str:
    """Return the novelty table of test against train."""
    table = measure_novelty(generate_reports("train", count, seed), generate_reports("test", count, seed))
    lines = [f"{'label':8}{'new surfaces':>14}{'new mentions':>14}"]
    for label, share in table["surfaces"].items():
        lines.append(f"{label:8}{share:14.1%}{table['mentions'][label]:14.1%}")
    lines.append(f"new sentences {table['sentences']:.1%}, new word 4-grams {table['four_grams']:.1%}")
    lines.append(f"scenarios in both: {', '.join(table['scenarios_shared']) or 'none'}")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m zoo.synthesis", description="Fictitious French hospital reports.")
    parser.add_argument("--split", choices=SPLITS, default="train")
    parser.add_argument("--count", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--labels", choices=sorted(LABEL_SETS), default="umls")
    parser.add_argument("--jsonl", action="store_true", help="one JSON document a line")
    parser.add_argument("--novelty", action="store_true", help="print how much of test was never seen in train")
    options = parser.parse_args(arguments)
    if options.novelty:
        sys.stdout.write(show_novelty(options.seed, max(options.count, 50)) + "\n")
        return 0
    for document in generate_reports(options.split, options.count, options.seed, options.labels, options.start):
        line = json.dumps(document, ensure_ascii=False) if options.jsonl else show_report(document)
        sys.stdout.write(line + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
