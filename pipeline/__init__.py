"""What happens, in which order, to which photos: planning, runs, the catalog and its views."""
