"""Measures fairway beside its peers, in one run; `README.md` says what and how."""
