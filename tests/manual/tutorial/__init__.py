"""The files of the tutorial, as its reader types them."""
