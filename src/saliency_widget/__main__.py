"""`python -m saliency_widget run prompts.jsonl --model … --out run/`: `attribute_many` from a shell."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

from .batch.many import ENGINES, attribute_many
from .errors import SaliencyError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. Return 0; 1 if some texts have no map; 2 for an error, which is printed."""
    asked = vars(_parser().parse_args(arguments))
    asked.pop("command")
    settings = dict(asked.pop("set"))
    if labels := asked.pop("labels"):
        asked["say_versus_do"] = {"labels": labels}
    try:
        run = attribute_many(asked.pop("model"), asked.pop("rows"), **asked, **settings)
    except SaliencyError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"Interrupted. Run it again to go on: what is done is in {asked['out']}.", file=sys.stderr)
        return 130
    print(run)
    return 1 if run.errors else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m saliency_widget", description="Saliency maps of language models.")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="maps of many texts, into a folder; run again, it goes on where it stopped")
    run.add_argument("rows", help="a JSONL file: each line a text, or an object with text, messages or input_ids")
    run.add_argument("--model", required=True, help='a hub id, a folder, a .gguf file, "demo"')
    run.add_argument("--out", required=True, help="the folder")
    run.add_argument("--method", default="saliency")
    run.add_argument("--objective")
    run.add_argument("--foil")
    run.add_argument("--span", type=int, nargs=2, metavar=("FIRST", "STOP"))
    run.add_argument("--max-new-tokens", type=int, default=32)
    run.add_argument("--through", metavar="SEGMENT", help='two steps back by way of a segment, such as "thinking"')
    run.add_argument("--evaluate", action="store_true", help="how far each map can be believed, too")
    run.add_argument("--say-versus-do", action="store_true", help="what the model says of each word, too")
    run.add_argument("--labels", nargs="+", metavar="LABEL", help="the same, of its choice between these labels")
    run.add_argument("--engine", choices=ENGINES, default="local")
    run.add_argument("--workers", type=int, help="of Ray")
    run.add_argument("--batch-size", type=int, default=64)
    run.add_argument("--no-progress", dest="progress", action="store_false")
    run.add_argument(
        "--set", type=_setting, action="append", default=[], metavar="NAME=VALUE", help="a setting of the method"
    )
    return parser


def _setting(text: str) -> tuple[str, Any]:
    """Return name and value; a value that is no JSON is text."""
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


if __name__ == "__main__":
    sys.exit(main())
