"""How far a gradient reaches through time: measured, drawn, and written down as a report.

Deep Learning (Goodfellow et al., 2016), sections 8.2.5 and 10.7: the gradient of a late loss by an
early state is a product of Jacobians, one for each step, which vanishes or explodes with their
number.
"""
