"""A job, its one outcome, the queues it waits in and the workers that take it. No HTTP, no PDFs."""
