"""Whether what users read names all there is."""
