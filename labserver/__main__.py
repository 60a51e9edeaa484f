"""`python -m labserver`."""

from labserver.cli import main

if __name__ == "__main__":
    main()
