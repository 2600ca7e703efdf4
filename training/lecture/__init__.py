"""The examples of a lecture on recurrent networks, computed by this project's own network."""
