"""Where label maps come from: one interface, several backends.

    found = ByoNifti(Path("total")).segment(volume)
    measure(Segmentation(volume, found.maps))

Metrics see a volume and label maps on its grid, never the backend: the same masks give the same numbers
whichever way they came.
"""
