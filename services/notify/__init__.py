"""Notify: tells the right adult, by e-mail and once, that a student's level has changed and why."""
