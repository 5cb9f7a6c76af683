"""The study's truth: events, their journal, and the state they fold into."""
