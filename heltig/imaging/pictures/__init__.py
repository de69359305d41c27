"""Pictures of an analysis: slices with what was found drawn over them, by Pillow alone."""
