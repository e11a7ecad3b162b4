"""Learning: outcomes become training groups, groups train components, and only what is better is published.

It knows the engine only as a bench that runs turns, and nothing of the command line.
"""
