"""The merger: build, test and land one workflow's branches as one tree."""
