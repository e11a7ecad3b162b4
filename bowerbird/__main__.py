"""`python -m bowerbird`: the command line."""

from bowerbird.cli import main

if __name__ == "__main__":
    main()
