"""One table of texts and labels for each part of a data set."""
