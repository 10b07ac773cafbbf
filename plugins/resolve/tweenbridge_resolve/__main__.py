"""`python -m tweenbridge_resolve`, which is what `tweenbridge resolve` runs: from outside Resolve, Studio only."""

from __future__ import annotations

import argparse
import sys
from typing import List, Optional

from . import app, selfcheck
from .api import has
from .errors import PluginError
from .host import connect


def main(arguments: Optional[List[str]] = None) -> int:
    """Connect to the running Resolve and do what the arguments say; returns the exit status."""
    parser = argparse.ArgumentParser(prog="tweenbridge resolve", description="In-betweens on Resolve's timeline.")
    parser.add_argument("--edit", action="store_true", help="begin with the in-betweens under the playhead")
    parser.add_argument("--selfcheck", action="store_true", help="try everything on a scratch timeline, and report")
    chosen = parser.parse_args(arguments)
    try:
        resolve, module = connect()
    except PluginError as error:
        print(f"Error: {error}\n       {error.remedy}", file=sys.stderr)
        return 1
    if chosen.selfcheck:
        return selfcheck.run(resolve)
    return app.run(resolve, resolve.Fusion() if has(resolve, "Fusion") else None, module, edit=chosen.edit)


if __name__ == "__main__":
    sys.exit(main())
