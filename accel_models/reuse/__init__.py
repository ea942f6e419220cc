"""What moves: the loop nest of a mapped layer, and every access that it makes."""
