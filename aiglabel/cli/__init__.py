"""The command line: one file a command. The only room that prints."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the program ``aiglabel``."""
    from aiglabel.cli.app import run

    sys.exit(run(sys.argv[1:]))
