"""Real servers of others that take what this package writes; `.ci/engines` installs them and runs these tests."""
