"""A FastAPI server for CPU-heavy jobs, and the kit that measures it."""

__version__ = "0.1.0"
