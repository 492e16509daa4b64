"""Everything about the broker that more than one service needs."""
