"""``python -m aiglabel``."""

from aiglabel.cli import main

if __name__ == "__main__":
    main()
