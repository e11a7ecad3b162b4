"""Stages: one method a file, in the folder of its role."""
