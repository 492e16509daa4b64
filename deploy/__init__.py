"""How Kvar is run: on one machine, in containers, with a simulated school authority, watched by Prometheus."""
