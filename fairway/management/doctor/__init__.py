"""What `fairway doctor` looks at; each module looks at one side of a site."""
