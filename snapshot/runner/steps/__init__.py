"""The steps of one attempt; the workflow has their order."""
