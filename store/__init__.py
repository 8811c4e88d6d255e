"""What is true: tables, transitions, the journal, named reads."""
