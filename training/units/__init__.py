"""Units of a trained network that follow something readable in the text.

After Karpathy, Johnson and Fei-Fei, Visualizing and Understanding Recurrent Networks (2015).
"""
