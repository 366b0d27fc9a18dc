"""How everything in the sample world is drawn: one module per kind of thing, all with the pen of `paint`."""
