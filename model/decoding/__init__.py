"""From the next character's distribution to a suggestion."""
