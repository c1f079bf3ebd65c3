"""A table as a paper might print it, with every kind of cell."""

TEXT = """# place: Table 7, App. A.4
# title: memory
# unit: GB
method,125M,1.3B,13B,30B
MeZO,0.57,3.48,26.43,60.31
MeZO-m,0.89 (0.10),6.31 (0.20),?,>80
TeZO-Adam,0.57,3.47,26.01,
"""
