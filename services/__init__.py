"""Kvar: early warning against dropping out of upper-secondary school."""
