"""Streams of recorded events to the clients that listen, as one process serves them.

Modules, from the lowest layer to the highest:
    horizon  the id up to which no event can be recorded any more
    feed     the events of an app, rendered once for all who listen to it
    stream   the stream of one app
    hub      the stream of everything that a user may see
"""
