"""The sample world: a renderer of family photos whose truth is known, and the pocket models trained on it.

Who lives here: `identity` (people), `things` (pets and things), `scene` (what happens in one photo),
`render` (pixels), `truth` (what is where), `sentences` and `questions` (words about it), `vocabulary` (all
such words). No product code imports this package; only the command line does.
"""
