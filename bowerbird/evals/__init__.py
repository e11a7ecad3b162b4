"""Evaluation: does the augmentation help, for every kind of record, against doing nothing."""
