"""Makes the maps of the documentation: `python docs/maps.py` runs the `{map}` blocks whose map is not there yet.

With `--all` it makes every map again. Maps of blocks that no page has any more are removed.
"""

from __future__ import annotations

import ast
import sys
from typing import Any

sys.path.insert(0, str(__file__).rpartition("/")[0] + "/_ext")
from code_of_maps import MAPS, MapCode, all_blocks


def run(code: str, names: dict[str, Any]) -> Any:
    """Run the code in these names, and return the value of its last line, which is an expression."""
    tree = ast.parse(code)
    last = tree.body.pop()
    if not isinstance(last, ast.Expr):
        raise TypeError(f"The last line of a map's code is the map:\n{code}")
    exec(compile(tree, "<page>", "exec"), names)  # noqa: S102 # it is the pages' own code
    return eval(compile(ast.Expression(last.value), "<page>", "eval"), names)  # noqa: S307


def make(block: MapCode) -> Any:
    """Return the map that a block's code makes."""
    import saliency_widget as sw

    made = run(block.code, {"sw": sw})
    if not isinstance(made, sw.Attribution):
        raise TypeError(f"A map's code ends in an Attribution, not in a {type(made).__name__}:\n{block.code}")
    return made


def main(*, everything: bool) -> None:
    """Make what is missing, or everything, and remove what is no longer wanted."""
    import saliency_widget as sw

    MAPS.mkdir(exist_ok=True)
    blocks = {block.file: block for block in all_blocks()}
    model = sw.load_model("demo")  # kept, so that it is loaded once
    for file, block in blocks.items():
        if everything or not file.exists():
            made = make(block)
            made.save(file)
            print(f"{block.page}: {file.name}, {made.method}, {made.seconds:.1f} s", flush=True)
    del model
    for path in set(MAPS.glob("*.safetensors")) - blocks.keys():
        path.unlink()
        print(f"{path.name}: removed")


if __name__ == "__main__":
    main(everything="--all" in sys.argv)
