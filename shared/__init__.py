"""What at least two services use: message contracts, broker topology, database access, settings, observability."""
