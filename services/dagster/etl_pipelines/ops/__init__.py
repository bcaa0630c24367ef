"""One op per stage; each calls one function of `libs.ingest`."""
