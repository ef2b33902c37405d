"""A contact centre with known truth, served through faithful vendor APIs on loopback.

What belongs here: the simulated centre, its ground truth, and one file (or a few) per
vendor API driven by it.  What does not: anything that reads those APIs; nothing here
imports the product, so that the simulator stays an independent witness.
"""
