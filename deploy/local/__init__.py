"""Kvar on one machine without containers: a private broker, a database, a mail sink and the four services."""
