"""How configurations of several real problems learn, so that searches can be simulated."""
