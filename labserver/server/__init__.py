"""The HTTP side: a request becomes a job, is waited for, and answered with its fate."""
