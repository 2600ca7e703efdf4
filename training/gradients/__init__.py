"""How far a gradient reaches through time: measured, plotted, and written as a report.

The gradient of a late loss by an early state is a product of Jacobians, one for each step. It
vanishes or explodes with the number of steps (Deep Learning, Goodfellow et al., 2016, sections
8.2.5 and 10.7).
"""
