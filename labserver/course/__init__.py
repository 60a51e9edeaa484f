"""The lessons as a whole: run all of them, or make one folder of pages that open offline."""
