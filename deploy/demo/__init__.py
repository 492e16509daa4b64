"""The demo's input: a simulated school authority, a reader of a real data set, and the player that publishes them.

Everything here is a publisher like any other: it knows the public contracts and ingest's doors, nothing inside Kvar.
All people that the simulator makes are invented, and all its output says so.
"""
