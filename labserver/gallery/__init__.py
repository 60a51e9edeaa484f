"""The classic mistakes, each a few lines that can be measured beside the server's own way.

Started with --gallery, the server answers at /gallery/NAME/put as it does at /put. They are there
to be looked at, not to be copied: each module's head says what is wrong with it. Beside them is
loop.py, which is the same work without a server.
"""
