"""What a job does. No queues and no HTTP: each piece of work is a function of its input."""
