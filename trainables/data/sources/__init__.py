"""Where the rows of a data set are: a file, a folder, a package, or the hub."""
