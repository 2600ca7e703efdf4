"""What a lecture on recurrent networks draws on the board, made by the network of this project."""
