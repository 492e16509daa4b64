"""Long attacks on a whole running stack, and what the others felt of them: `make attack`."""
