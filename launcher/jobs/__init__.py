"""What a launcher does for each kind of job."""
