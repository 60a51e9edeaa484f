"""The Dask runner: jobs run on the workers of a Dask cluster, behind the same pool."""

# Who decides what
#
#   pool (server)      who gets in, who is next, what a request's outcome is: as with threads
#   cluster (server)   which workers there are; each of their threads is hired into the pool as a
#                      worker of it, and dismissed when its machine is gone
#   seat (server)      one such thread: sends a job there and waits until it has really ended
#   remote (worker)    does the job, in a child process that can be killed
#
# Dask is given nothing to decide: a job is sent to one thread that is free, so it waits in no queue
# of Dask's, and Dask does not run it again elsewhere. When a worker is lost the pool may: once more
# by default, and its trace says so.
