"""The package that `fairway startplugin` writes."""
