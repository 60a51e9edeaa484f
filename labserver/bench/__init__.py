"""The other side of the wire: it starts the server, loads it, and records what came back.

It meets the server over HTTP only, as any client would, and never imports it.
"""
