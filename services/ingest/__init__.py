"""Ingest: the door. Takes events over HTTP and AMQP, keeps what it accepts, and sends it on under a pseudonym.

The way of an item: `bodies` (bytes to items) → `checks` (may it come in) → `aliases` (who is it) → `people` (names stay
here) → `store` (archived) → `publishing` (confirmed by the broker) → the answer. `intake` is that sentence in code.
"""
