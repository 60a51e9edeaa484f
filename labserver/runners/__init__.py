"""Where work runs. A runner has `prepare_thread` and `run`, which returns when the work ended."""
