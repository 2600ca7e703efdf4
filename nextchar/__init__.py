"""The command `nextchar`: a person or a script trains, evaluates, serves and completes with it."""
