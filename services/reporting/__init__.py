"""Shows which students need attention and why, and how each school unit stands: as JSON and as plain pages."""
