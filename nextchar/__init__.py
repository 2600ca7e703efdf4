"""The command `nextchar`: what a person or a script types to train, judge, serve and complete."""
