"""Units of a trained network that follow a readable feature of the text.

After Karpathy, Johnson and Fei-Fei, Visualizing and Understanding Recurrent Networks (2015).
"""
