"""PDF to PNG: inspect a document, rasterise its pages, write them as files, whole or not at all."""
