"""`python -m tickwire`."""

from tickwire.cli import main

if __name__ == "__main__":
    main()
