"""Keeps the facts of every student and says, within a second of each event, how great the risk is and why."""
